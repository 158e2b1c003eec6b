//! What AO's clients read of a gateway.

use serde_json::{Value, json};
use surety_attest::effect::Record;
use surety_protocol::item::ItemDraft;

use super::Stage;
use super::stage::user;
use crate::location;

async fn ask(stage: &Stage, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    let answer = stage.post_json("/gateway/graphql", &body).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

fn ids(answer: &Value) -> Vec<&str> {
    let edges = answer["data"]["transactions"]["edges"].as_array();
    let edges = edges.unwrap_or_else(|| panic!("{answer}"));
    edges
        .iter()
        .map(|it| it["node"]["id"].as_str().unwrap())
        .collect()
}

const BY_IDS: &str = "query($ids: [ID!]!) { transactions(ids: $ids) { edges { cursor node { id recipient \
    owner { address key } fee { winston ar } quantity { winston ar } data { size type } parent { id } \
    anchor signature tags { name value } block { id height timestamp previous } } } } }";

#[tokio::test]
async fn an_item_is_found_by_its_id_with_its_block() {
    let stage = Stage::new(3).await;
    let message = &stage.messages[2];
    let found = ask(&stage, BY_IDS, json!({ "ids": [message.id(), "nonsense"] })).await;
    assert_eq!(ids(&found), [message.id().to_string()]);
    let node = &found["data"]["transactions"]["edges"][0]["node"];
    assert_eq!(node["recipient"], json!(stage.process_id()));
    assert_eq!(node["owner"]["address"], json!(user().address()));
    assert_eq!(node["data"]["size"], "9");
    assert_eq!(
        node["tags"][0],
        json!({ "name": "Type", "value": "Message" })
    );
    // The stage's ledger has no block of the height that its inputs are stamped with.
    assert_eq!(node["block"], Value::Null);
    let one = format!("{{ transaction(id: \"{}\") {{ id }} }}", message.id());
    let one = ask(&stage, &one, Value::Null).await;
    assert_eq!(one["data"]["transaction"]["id"], json!(message.id()));
    assert_eq!(
        ids(&ask(&stage, BY_IDS, json!({ "ids": ["x"] })).await).len(),
        0
    );
}

#[tokio::test]
async fn clauses_are_met_together_and_pages_meet() {
    let stage = Stage::new(4).await;
    let query = "query($after: String) { transactions(tags: [{name: \"Type\", values: [\"Message\", \"Process\"]}], \
        first: 2, after: $after, sort: HEIGHT_ASC) { pageInfo { hasNextPage } edges { cursor node { id } } } }";
    let first = ask(&stage, query, Value::Null).await;
    let expected: Vec<String> = stage
        .messages
        .iter()
        .map(|it| it.id().to_string())
        .collect();
    assert_eq!(ids(&first), expected[..2]);
    assert_eq!(
        first["data"]["transactions"]["pageInfo"]["hasNextPage"],
        true
    );
    let last = first["data"]["transactions"]["edges"][1]["cursor"].clone();
    let rest = ask(&stage, query, json!({ "after": last })).await;
    assert_eq!(ids(&rest), expected[2..]);
    assert_eq!(
        rest["data"]["transactions"]["pageInfo"]["hasNextPage"],
        false
    );
    let query = format!(
        "{{ transactions(owners: [\"{}\"], recipients: [\"{}\"], tags: [{{name: \"Action\", values: [\"Fail\"]}}]) \
        {{ edges {{ node {{ id }} }} }} }}",
        user().address(),
        stage.process_id(),
    );
    assert_eq!(
        ids(&ask(&stage, &query, Value::Null).await),
        [expected[3].as_str()]
    );
    let nobody = query.replace(
        &user().address().to_string(),
        &stage.alice.address().to_string(),
    );
    assert!(ids(&ask(&stage, &nobody, Value::Null).await).is_empty());
    // The last that came is the first, unless it is said otherwise.
    let newest = "{ transactions(tags: [{name: \"Type\", values: [\"Message\"]}]) { edges { node { id } } } }";
    let newest = ask(&stage, newest, Value::Null).await;
    let mut backward = expected[1..].to_vec();
    backward.reverse();
    assert_eq!(ids(&newest), backward);
}

#[tokio::test]
async fn a_scheduler_is_found_where_it_was_last() {
    let stage = Stage::new(1).await;
    let query = "query($owner: String!) { transactions(owners: [$owner] tags: [ \
        { name: \"Data-Protocol\", values: [\"ao\"] }, { name: \"Type\", values: [\"Scheduler-Location\"] } ] \
        sort: HEIGHT_DESC first: 1) { edges { node { id tags { name value } } } } }";
    let owner = json!({ "owner": stage.alice.node.address() });
    let mut seen = Vec::new();
    for url in ["http://a:1", "http://b:2/", "http://b:2", "http://a:1"] {
        location::publish(&stage.archive, &stage.alice.node, url).unwrap();
        let found = ask(&stage, query, owner.clone()).await;
        let node = &found["data"]["transactions"]["edges"][0]["node"];
        let tags = node["tags"].as_array().unwrap();
        let value =
            |name: &str| tags.iter().find(|it| it["name"] == name).unwrap()["value"].clone();
        assert_eq!(value("Url"), format!("{}/su", url.trim_end_matches('/')));
        assert_eq!(value("Time-To-Live"), "3600000");
        seen.push(node["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen[1], seen[2]);
    assert_ne!(seen[0], seen[3]);
}

#[tokio::test]
async fn blocks_come_in_pages_that_meet() {
    let mut stage = Stage::new(1).await;
    stage.pass(5);
    let last = stage.ledger.height().0;
    assert!(last >= 5);
    stage.show(1, 1);
    let query = |how: &str| {
        format!(
            "query($after: String) {{ blocks({how}, first: 2, after: $after) {{ pageInfo {{ hasNextPage }} \
            edges {{ cursor node {{ id height timestamp previous }} }} }} }}"
        )
    };
    let all = async |how: &str| {
        let (mut nodes, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = ask(&stage, &query(how), json!({ "after": after })).await;
            let page = page["data"]["blocks"].clone();
            let edges = page["edges"].as_array().unwrap_or_else(|| panic!("{page}"));
            nodes.extend(edges.iter().map(|it| it["node"].clone()));
            if page["pageInfo"]["hasNextPage"] == false {
                return nodes;
            }
            after = edges[1]["cursor"].clone();
        }
    };
    let heights = |nodes: &[Value]| -> Vec<u64> {
        nodes
            .iter()
            .map(|it| it["height"].as_u64().unwrap())
            .collect()
    };
    let up = all("sort: HEIGHT_ASC").await;
    assert_eq!(heights(&up), (1..=last).collect::<Vec<_>>());
    for pair in up.windows(2) {
        assert_eq!(pair[1]["previous"], pair[0]["id"]);
    }
    let mut down = all("sort: HEIGHT_DESC").await;
    down.reverse();
    assert_eq!(down, up);
    let some = all("sort: HEIGHT_ASC, height: { min: 2, max: 4 }").await;
    assert_eq!(some, up[1..4]);
    let newest = heights(&all("height: { min: 4 }").await);
    assert_eq!(newest, (4..=last).rev().collect::<Vec<_>>());
    let none = format!("height: {{ min: {} }}", last + 1);
    assert!(all(&none).await.is_empty());
    let one = ask(&stage, "{ block(height: 3) { id height } }", Value::Null).await;
    assert_eq!(one["data"]["block"]["id"], up[2]["id"]);
}

#[tokio::test]
async fn fragments_stand_where_they_are_named() {
    let stage = Stage::new(2).await;
    let query = "query($ids: [ID!]!) { transactions(ids: $ids) { edges { node { ...item } } } } \
        fragment item on Transaction { id ...more } fragment more on Transaction { recipient }";
    let found = ask(&stage, query, json!({ "ids": [stage.messages[1].id()] })).await;
    assert_eq!(ids(&found), [stage.messages[1].id().to_string()]);
    let node = &found["data"]["transactions"]["edges"][0]["node"];
    assert_eq!(node["recipient"], json!(stage.process_id()));
}

#[tokio::test]
async fn a_range_of_blocks_has_what_was_assigned_at_them() {
    let mut stage = Stage::new(4).await;
    let message = |text: &str| {
        let draft = ItemDraft::default().tag("Type", "Message");
        user().sign_item(&draft.carrying(text)).unwrap()
    };
    // What has no slot is in no block.
    stage.keep(Record::Item(message("no slot")));
    let other = ItemDraft::default().tag("Type", "Process");
    let other = user().sign_item(&other).unwrap();
    stage.adopt(&other, &[]);
    let query = |range: &str, first: usize| {
        format!(
            "query($after: String) {{ transactions(tags: [{{name: \"Type\", values: [\"Message\", \"Process\"]}}], \
            block: {range}, first: {first}, after: $after, sort: HEIGHT_ASC) \
            {{ pageInfo {{ hasNextPage }} edges {{ cursor node {{ id }} }} }} }}"
        )
    };
    let expected: Vec<String> = stage
        .messages
        .iter()
        .chain([&other])
        .map(|it| it.id().to_string())
        .collect();
    // Every input of the stage is stamped with the same height.
    for range in ["{ min: 7 }", "{ max: 7 }", "{ min: 7, max: 7 }"] {
        let found = ask(&stage, &query(range, 10), Value::Null).await;
        assert_eq!(ids(&found), expected, "{range}");
    }
    for range in ["{ min: 8 }", "{ max: 6 }", "{ min: 8, max: 6 }"] {
        assert!(ids(&ask(&stage, &query(range, 10), Value::Null).await).is_empty());
    }
    for range in ["{}", "null", "{ min: null }"] {
        let all = ask(&stage, &query(range, 10), Value::Null).await;
        assert_eq!(ids(&all).len(), expected.len() + 1, "{range}");
    }
    // Pages meet, also across what is not in the range.
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = ask(&stage, &query("{ min: 7 }", 2), json!({ "after": after })).await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let page = &page["data"]["transactions"];
        let Some(last) = page["edges"].as_array().unwrap().last() else {
            break;
        };
        after = last["cursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn queries_are_bounded() {
    let stage = Stage::new(1).await;
    let many: String = (0..20)
        .map(|it| format!("a{it}: transactions {{ edges {{ node {{ id }} }} }} "))
        .collect();
    let refused = ask(&stage, &format!("{{ {many} }}"), Value::Null).await;
    assert_eq!(refused["errors"][0]["message"], "Query is too complex.");
    // Each of these says the next one twice.
    let bomb: String = (0..30)
        .map(|it| format!("fragment f{it} on Query {{ ...f{0} ...f{0} }} ", it + 1))
        .collect();
    let bomb = format!("{{ ...f0 }} {bomb} fragment f30 on Query {{ block {{ id }} }}");
    let many: String = (0..33)
        .map(|it| format!("fragment f{it} on Query {{ block {{ id }} }} "))
        .collect();
    let many = format!("{{ ...f0 }} {many}");
    let circle = "{ ...f0 } fragment f0 on Query { ...f1 } fragment f1 on Query { ...f0 }";
    let long = format!("{{ block {{ {} }} }}", "id ".repeat(2001));
    for query in [bomb.as_str(), &many, circle, &long] {
        let body = json!({ "query": query });
        let refused = stage.post_json("/gateway/graphql", &body).await;
        refused.is_problem(400, "query-too-long");
    }
    let refused = ask(&stage, "{ nothing }", Value::Null).await;
    assert!(refused["errors"][0]["message"].is_string());
    let too_many: Vec<String> = (0..1001).map(|it| it.to_string()).collect();
    let refused = ask(&stage, BY_IDS, json!({ "ids": too_many })).await;
    assert!(
        refused["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("at most")
    );
    let refused = ask(
        &stage,
        "{ transactions(after: \"x\") { edges { cursor } } }",
        Value::Null,
    )
    .await;
    assert_eq!(refused["errors"][0]["message"], "the cursor is malformed");
}

#[tokio::test]
async fn tags_that_units_read_are_headers_and_no_others() {
    let stage = Stage::new(1).await;
    let draft = ItemDraft::default()
        .tag("Type", "Process")
        .tag("Scheduler", "somebody")
        .tag("Authority", "one")
        .tag("Authority", "two")
        .tag("Name", "first\nsecond")
        .tag("Set-Cookie", "a=b")
        .tag("Location", "http://elsewhere")
        .tag("Content-Type", "text/html");
    let item = user().sign_item(&draft.carrying("<script>")).unwrap();
    stage.keep(Record::Item(item.clone()));
    let answer = stage.get(&format!("/gateway/{}", item.id())).await;
    assert_eq!(answer.header("type"), "Process");
    assert_eq!(answer.header("scheduler"), "somebody");
    assert_eq!(answer.headers.get_all("authority").iter().count(), 2);
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    for name in ["set-cookie", "location", "name"] {
        assert!(answer.headers.get(name).is_none(), "{name}");
    }
    let tx = stage
        .get(&format!("/gateway/tx/{}", item.id()))
        .await
        .json();
    assert_eq!(tx["id"], json!(item.id()));
    assert_eq!(tx["data_size"], "8");
    let info = stage.get("/gateway/info").await.json();
    assert!(info["height"].is_u64() && info["current"].is_string());
}

#[tokio::test]
async fn a_push_is_a_tree_of_what_authorities_signed() {
    let mut stage = Stage::new(3).await;
    let process = stage.process_id();
    let trace = format!("/v1/processes/{process}/slots/1/trace");
    let none = stage.get(&trace).await.json();
    assert_eq!(none["sent"], json!([]));
    assert_eq!(none["item"], json!(stage.messages[1].id()));
    assert_eq!(none["action"], "Count");
    assert_eq!(none["whole"], true);
    // A process that trusts the messenger, and what it sent: to itself, to a wallet; and what a stranger says that it sent.
    let sender = ItemDraft::default().tag("Type", "Process").tag(
        "Authority",
        format!("{}, other", stage.alice.node.address()),
    );
    let sender = user().sign_item(&sender).unwrap();
    let from = |slot: u64, index: u64, to: [u8; 32]| {
        ItemDraft::default()
            .to(to)
            .tag("Type", "Message")
            .tag("Action", format!("Sent-{index}"))
            .tag("From-Process", sender.id().to_string())
            .tag("From-Slot", slot.to_string())
            .tag("From-Index", index.to_string())
    };
    let own = *sender.id().as_bytes();
    let first = stage.alice.node.sign_item(&from(0, 1, own)).unwrap();
    let wallet = stage.alice.node.sign_item(&from(0, 0, [9; 32])).unwrap();
    let second = stage.alice.node.sign_item(&from(1, 0, own)).unwrap();
    let forged = user().sign_item(&from(0, 2, own)).unwrap();
    for item in [&wallet, &first, &second, &forged] {
        stage.keep(Record::Item(item.clone()));
    }
    stage.adopt(&sender, &[&first]);
    let path = format!("/v1/processes/{}/slots/0/trace", sender.id());
    let tree = stage.get(&path).await.json();
    let sent = tree["sent"].as_array().unwrap_or_else(|| panic!("{tree}"));
    assert_eq!(sent.len(), 2, "{tree}");
    assert_eq!(sent[0]["item"], json!(wallet.id()));
    assert_eq!(sent[0]["slot"], Value::Null);
    assert_eq!(sent[1]["item"], json!(first.id()));
    assert_eq!(sent[1]["slot"], 1);
    assert_eq!(sent[1]["sent"][0]["item"], json!(second.id()));
    assert_eq!(sent[1]["sent"][0]["slot"], Value::Null);
    let shallow = stage.get(&format!("{path}?depth=1")).await.json();
    assert_eq!(shallow["sent"][1]["sent"], json!([]));
    let beyond = format!("/v1/processes/{}/slots/9/trace", sender.id());
    stage.get(&beyond).await.is_problem(404, "slot-unknown");
}
