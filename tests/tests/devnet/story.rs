//! Three processes in AOS that trade with each other (`tests/story`), on nodes that are killed again and again: a token, a market
//! that hands on what wallets pay it, and a keeper that a timer wakes. A model says who has what in the end.
//!
//! `SURETY_STORY` is how many orders there are; for every fifty each of the nodes that have a part in it is killed once, as
//! `SURETY_STORY_SEED` draws it, which is printed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_protocol::item::{ItemDraft, ItemKey};

use super::kills::{self, Kills};
use super::program::{Devnet, Killed, text};
use super::stage::{PATIENCE, Stage};
use super::{attested, needed};

const WALLETS: usize = 50;
const START: u64 = 1_000_000;
/// Orders for each kill of each node.
const ORDERS_A_KILL: usize = 50;
/// Orders, unless somebody says how many.
const ORDERS: usize = 100;
/// Users who wait for an answer at once.
const USERS: usize = 8;
/// What each node that is killed does: AO's units may be run by different people, and so may these.
const ROLES: [&str; 3] = [
    "scheduler,verifier",
    "compute,messenger,gateway",
    "verifier",
];

/// An order: who pays whom how much.
#[derive(Clone, Copy)]
struct Order {
    number: usize,
    from: usize,
    to: usize,
    quantity: u64,
}

/// Orders that nobody chose.
fn orders(count: usize) -> Vec<Order> {
    let mut state = 7_u64;
    let mut draw = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut wallet = move || usize::try_from(draw(WALLETS as u64)).unwrap();
    (0..count)
        .map(|number| Order {
            number,
            from: wallet(),
            to: wallet(),
            quantity: 2 + wallet() as u64,
        })
        .collect()
}

fn wallets() -> Vec<ItemKey> {
    let seed = |index| [u8::try_from(100 + index).unwrap(); 32];
    (0..WALLETS).map(|it| ItemKey::ed25519(&seed(it))).collect()
}

#[test]
fn a_market_on_nodes_that_are_killed_keeps_its_books() {
    let Some(modules) = needed::path("SURETY_AOS_MODULES") else {
        return;
    };
    let count = std::env::var("SURETY_STORY")
        .ok()
        .and_then(|it| it.parse().ok());
    let count: usize = count.unwrap_or(ORDERS);
    let seed = kills::seed();
    eprintln!("SURETY_STORY_SEED={seed}");
    let kills = Kills::draw(seed, ROLES.len(), count / ORDERS_A_KILL, count);
    let wasm = modules.join("aos2_0_4_32.wasm");
    let devnet = Devnet::start(&["--nodes", "5", "--module", wasm.to_str().unwrap()]);
    let ready = devnet.ready().clone();
    let mut nodes: Vec<Killed> = [0, 1, 2].map(|it| devnet.kill(it)).into();
    for (node, roles) in nodes.iter_mut().zip(ROLES) {
        node.restart_with(&["--roles", roles]);
    }
    let mut stage = Stage::new(text(&ready["nodes"][1], "http"));
    let names = ["token", "market", "keeper"];
    for name in names {
        let timer = [("Cron-Interval", "3-seconds"), ("Cron-Tag-Action", "Wake")];
        let tags = if name == "keeper" { &timer[..] } else { &[] };
        stage.spawn(&ready, name, tags);
    }
    let wallets = wallets();
    for name in names {
        let code =
            std::fs::read_to_string(format!("{}/story/{name}.lua", env!("CARGO_MANIFEST_DIR")));
        stage.eval(name, &code.unwrap());
    }
    let balances: Vec<String> = wallets
        .iter()
        .map(|it| format!("['{}'] = {START}", it.address()))
        .collect();
    stage.eval(
        "token",
        &format!("Balances = {{ {} }}", balances.join(", ")),
    );
    let [token, market, keeper] = names.map(|it| stage.process(it).to_owned());
    stage.eval("token", &format!("Market = '{market}'"));
    stage.eval("market", &format!("Token, Keeper = '{token}', '{keeper}'"));
    stage.eval("keeper", &format!("Token, Market = '{token}', '{market}'"));

    trade(&stage, &wallets, &orders(count), &kills, &mut nodes);
    settle(&stage, &wallets, &orders(count));
    let certified = stage.certified();
    let checkpoint = devnet.dir().join("checkpoint.cbor");
    attested::every_slot(&stage, &checkpoint, &certified);
    let report = devnet.stop();
    assert!(
        report["slashings"].as_array().unwrap().is_empty(),
        "{report}"
    );
}

/// Wallets send their orders while nodes are killed and come back.
fn trade(
    stage: &Stage,
    wallets: &[ItemKey],
    orders: &[Order],
    kills: &Kills,
    nodes: &mut [Killed],
) {
    let [token, market] = ["token", "market"].map(|it| stage.process(it).to_owned());
    let target: surety_protocol::id::ProcessId = token.parse().unwrap();
    let items: Vec<Vec<u8>> = orders
        .iter()
        .map(|order| {
            let draft = ItemDraft::default()
                .to(*target.as_bytes())
                .tag("Type", "Message")
                .tag("Action", "Transfer")
                .tag("Recipient", &*market)
                .tag("Quantity", order.quantity.to_string())
                .tag("X-Order", order.number.to_string())
                .tag("X-For", wallets[order.to].address().to_string());
            stage.sign(&wallets[order.from], draft).1
        })
        .collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..USERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { break };
                    kills.admit(number);
                    stage.runtime.block_on(stage.post(item.clone()));
                }
            });
        }
        kills.carry_out(nodes, &ROLES, &next);
    });
}

/// Everything arrives once, and the books are as the model's.
fn settle(stage: &Stage, wallets: &[ItemKey], orders: &[Order]) {
    let filled = "local n = 0; for name in pairs(Arrived) do \
                  if name:sub(1, 43) == Market and name:sub(45):match('^%d+$') then n = n + 1 end end; return tostring(n)";
    stage.until("token", filled, &orders.len().to_string());
    let once = |what: &Value, which: &str| {
        let what = what.as_object().unwrap();
        assert!(what.values().all(|it| it == 1), "{which}: {what:?}");
        what.len()
    };
    assert_eq!(
        once(&stage.json("market", "Seen"), "orders of the market"),
        orders.len()
    );
    let sent = || stage.eval("keeper", "return tostring(Ticks)");
    let begin = Instant::now();
    let sweeps = loop {
        // As many as the keeper had sent a moment before have arrived, unless some were lost.
        let least: usize = sent().parse().unwrap();
        let sweeps = stage.json("market", "Sweeps");
        let arrived = once(&sweeps, "sweeps of the market");
        if least > 1 && (1..=least).all(|number| sweeps[number.to_string()] == 1) {
            break arrived;
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "{least} sweeps were sent, {sweeps}"
        );
        std::thread::sleep(Duration::from_millis(500));
    };
    assert!(sweeps > 1, "the timer woke the keeper");
    assert_eq!(stage.eval("market", "return tostring(Refused)"), "0");
    once(&stage.json("token", "Arrived"), "transfers");

    let mut model: BTreeMap<String, u64> = wallets
        .iter()
        .map(|it| (it.address().to_string(), START))
        .collect();
    for order in orders {
        *model
            .get_mut(&wallets[order.from].address().to_string())
            .unwrap() -= order.quantity;
        *model
            .get_mut(&wallets[order.to].address().to_string())
            .unwrap() += order.quantity - 1;
    }
    // What is between the market and the keeper is all of the fees.
    let balances = stage.json("token", "Balances");
    let of = |name: &str| balances[name].as_u64().unwrap_or(0);
    for (wallet, balance) in &model {
        assert_eq!(of(wallet), *balance, "{wallet}");
    }
    let fees = of(stage.process("market")) + of(stage.process("keeper"));
    assert_eq!(fees, orders.len() as u64);
    // The keeper heard of everything that it has: its books and the token's agree as soon as the last notice is there.
    let begin = Instant::now();
    loop {
        let has = stage.eval(
            "token",
            &format!(
                "return tostring(Balances['{}'] or 0)",
                stage.process("keeper")
            ),
        );
        let heard = stage.eval("keeper", "return tostring(Collected)");
        if has == heard {
            break;
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "the keeper has {has} and heard of {heard}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    let all: u64 = balances
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(all, START * WALLETS as u64);
}
