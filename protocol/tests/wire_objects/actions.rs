//! Actions as data items (rules O-1, O-3).

use surety_protocol::codec::CodecError;
use surety_protocol::id::{Digest, NetworkId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::origin::{Action, ActionError, origin};
use surety_protocol::stake::Stake;
use surety_protocol::time::Height;

use crate::objects;

fn sign(draft: &ItemDraft) -> Item {
    ItemKey::ed25519(&[1; 32])
        .sign_item(draft)
        .unwrap()
        .into_inner()
}

fn actions() -> Vec<Action> {
    vec![
        Action::Transfer {
            recipient: objects::address(3),
            quantity: Stake(u128::MAX),
        },
        Action::Register(Box::new(objects::registration())),
        Action::Bond(Stake(1)),
        Action::Unbond(Stake::ZERO),
        Action::Withdraw,
        Action::Claims(objects::named("root")),
        Action::Certificate(Box::new(objects::certificate())),
        Action::Challenge {
            challenge: objects::challenge(),
            evidence: None,
        },
        Action::Challenge {
            challenge: objects::challenge(),
            evidence: Some(vec![1, 2, 3]),
        },
        Action::Verdict(objects::verdict()),
        Action::FalseApprovals(Box::new(objects::false_approvals())),
        Action::Profile(Box::new(objects::activation())),
    ]
}

#[test]
fn an_action_is_read_as_it_was_signed() {
    let network = objects::network();
    for action in actions() {
        let item = sign(&action.draft(&network, Height(77)).unwrap());
        assert_eq!(item.target(), Some(origin(&network).as_bytes()));
        assert_eq!(item.tag("Action"), Some(action.name()));
        assert_eq!(Action::from_item(&network, &item), Ok((action, Height(77))));
    }
}

#[test]
fn an_item_for_another_ledger_is_no_action() {
    for action in actions() {
        let item = sign(&action.draft(&objects::network(), Height(77)).unwrap());
        let found = Action::from_item(&NetworkId::default(), &item);
        assert_eq!(found, Err(ActionError::Target));
    }
    let untargeted = sign(
        &ItemDraft::default()
            .tag("Action", "Withdraw")
            .tag("Expires", "1"),
    );
    assert_eq!(
        Action::from_item(&objects::network(), &untargeted),
        Err(ActionError::Target)
    );
}

#[test]
fn arguments_that_do_not_parse_are_refused() {
    let network = objects::network();
    let read = |tags: &[(&str, &str)], data: &[u8]| {
        let draft = ItemDraft::default()
            .to(*network.as_bytes())
            .carrying(data)
            .tag("Data-Protocol", "ao")
            .tag("Type", "Message");
        let draft = tags
            .iter()
            .fold(draft, |draft, (name, value)| draft.tag(*name, *value));
        Action::from_item(&network, &sign(&draft))
    };
    let expires = ("Expires", "5");
    let bare = ItemDraft::default().to(*network.as_bytes());
    assert_eq!(
        Action::from_item(&network, &sign(&bare)),
        Err(ActionError::Tag("Data-Protocol"))
    );
    let bond = ("Action", "Bond");
    assert_eq!(
        read(&[bond, ("Quantity", "1")], b""),
        Err(ActionError::Tag("Expires"))
    );
    assert_eq!(read(&[expires], b""), Err(ActionError::Tag("Action")));
    assert_eq!(
        read(&[expires, ("Action", "bond")], b""),
        Err(ActionError::Unknown)
    );
    assert_eq!(
        read(&[expires, bond], b""),
        Err(ActionError::Tag("Quantity"))
    );
    for quantity in [
        "-1",
        "+1",
        "1.0",
        "1e3",
        " 1",
        "0x1",
        "340282366920938463463374607431768211456",
    ] {
        let found = read(&[expires, bond, ("Quantity", quantity)], b"");
        assert_eq!(found, Err(ActionError::Tag("Quantity")), "{quantity}");
    }
    let claims = [expires, ("Action", "Claims"), ("Root", "short")];
    assert_eq!(read(&claims, b""), Err(ActionError::Tag("Root")));
    let root = Digest::new([7; 32]).to_string();
    let claims = [expires, ("Action", "Claims"), ("Root", root.as_str())];
    assert!(read(&claims, b"").is_ok());
    for name in [
        "Register",
        "Certificate",
        "Challenge",
        "Verdict",
        "False-Approvals",
        "Profile",
    ] {
        let found = read(&[expires, ("Action", name)], b"not canonical");
        assert!(
            matches!(
                found,
                Err(ActionError::Data(
                    CodecError::Trailing(_)
                        | CodecError::Forbidden(_)
                        | CodecError::Truncated(_)
                        | CodecError::Fields
                ))
            ),
            "{name}: {found:?}"
        );
    }
}
