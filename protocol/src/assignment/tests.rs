//! Assignments as AO's scheduler writes them, and as it never would.

use super::*;
use crate::item::ItemKey;

fn draft() -> AssignmentDraft {
    let process = ProcessId::new([1; 32]);
    AssignmentDraft {
        process,
        epoch: 0,
        slot: Slot(7),
        hash_chain: HashChain::start(&process),
        block_height: 1_526_366,
        timestamp: Timestamp(1_728_856_580_024),
        message: Some(MessageId::new([2; 32])),
        exclude: vec!["Data".to_owned(), "Tags".to_owned()],
        timer: None,
    }
}

fn signed(draft: &ItemDraft) -> Authentic<Item> {
    ItemKey::ed25519(&[5; 32]).sign_item(draft).unwrap()
}

#[test]
fn the_chain_starts_and_goes_on_as_in_ao() {
    let process = ProcessId::new(std::array::from_fn(|i| i as u8));
    let start = HashChain::start(&process);
    assert_eq!(
        start.to_string(),
        "Yw3NKWbEM2aRElRIu7JbT_QSpJxzLbLIq8G4WBvXEN0"
    );
    let first = AssignmentId::new(std::array::from_fn(|i| 0x20 + i as u8));
    assert_eq!(
        start.next(&first).to_string(),
        "tLAjYpUDndk3XSp3zWIEoC6dFUc2qrOPmenc0mojP8I"
    );
}

#[test]
fn a_real_chain() {
    let process = "DcccvmuHG83kIjXWtB2OBTDcZbFB32EXwbMWuTzmxSo"
        .parse()
        .unwrap();
    let start = HashChain::start(&process);
    assert_eq!(
        start.to_string(),
        "CCxb1EYcRPp9lmv_MSrV3YaekOthAZRLwR3J4PLssCA"
    );
    let first = "HwBBCwKVEumyudprZbElzEKEnmnbDEvYiq-e5XFk6uM"
        .parse()
        .unwrap();
    assert_eq!(
        start.next(&first).to_string(),
        "aebS-Zt6zqgnLPZJka7eQfeeF7UgA6fmL-EFtSQD6d8"
    );
}

#[test]
fn tags_are_those_of_ao_in_its_order() {
    let item = draft().to_item_draft(Some([9; 32]));
    assert_eq!(
        (item.target, item.anchor, item.data.len()),
        (None, Some([9; 32]), 0)
    );
    let names: Vec<&str> = item.tags.iter().map(|(name, _)| name.as_str()).collect();
    let order = "Process Epoch Nonce Hash-Chain Block-Height Timestamp Data-Protocol Type Variant \
                 Message Exclude Exclude";
    assert_eq!(names.join(" "), order);
    assert_eq!(item.tags[4].1, "000001526366");
    assert_eq!(item.tags[5].1, "1728856580024");
}

#[test]
fn what_is_written_is_read() {
    for draft in [
        draft(),
        AssignmentDraft {
            message: None,
            exclude: vec![],
            slot: Slot(0),
            ..draft()
        },
        AssignmentDraft {
            message: None,
            exclude: vec![],
            timer: Some("0-5-seconds".to_owned()),
            ..draft()
        },
        AssignmentDraft {
            message: None,
            slot: Slot(u64::MAX),
            block_height: u64::MAX,
            ..draft()
        },
    ] {
        let item = signed(&draft.to_item_draft(None));
        let read = Assignment::from_authentic(&item).unwrap().into_inner();
        assert_eq!(read.id, AssignmentId::from(item.id()));
        assert_eq!(read.signer, item.owner_address());
        assert_eq!(read.next_hash_chain(), draft.hash_chain.next(&read.id));
        assert_eq!(read.draft(), draft);
    }
}

#[test]
fn another_spelling_is_no_assignment() {
    let altered = |alter: &dyn Fn(&mut ItemDraft)| {
        let mut item = draft().to_item_draft(None);
        alter(&mut item);
        Assignment::from_item(&signed(&item)).map(|_| ())
    };
    assert_eq!(altered(&|_| ()), Ok(()));
    assert_eq!(
        altered(&|item| item.target = Some([0; 32])),
        Err(AssignmentError::Target)
    );
    assert_eq!(
        altered(&|item| item.data.push(0)),
        Err(AssignmentError::Data)
    );
    let names = [
        "Process",
        "Epoch",
        "Nonce",
        "Hash-Chain",
        "Block-Height",
        "Timestamp",
    ];
    let fixed = ["Data-Protocol", "Type", "Variant"];
    for (at, name) in names.into_iter().chain(fixed).enumerate() {
        let missing = Err(AssignmentError::Missing(name));
        assert_eq!(altered(&|item| drop(item.tags.remove(at))), missing);
        assert_eq!(
            altered(&|item| item.tags[at].0.make_ascii_lowercase()),
            missing
        );
        let wrong = altered(&|item| item.tags[at].1.push('x'));
        assert_eq!(wrong, Err(AssignmentError::Value(name)));
        if at < 8 {
            assert_eq!(altered(&|item| item.tags.swap(at, at + 1)), missing);
        }
    }
    for (at, text) in [
        (1, "00"),
        (1, "+0"),
        (2, "07"),
        (2, "-7"),
        (4, "1526366"),
        (4, "0000001526366"),
    ] {
        let wrong = altered(&|item| item.tags[at].1 = text.to_owned());
        assert_eq!(wrong, Err(AssignmentError::Value(names[at])), "{text}");
    }
    // 2^64
    let wrong = altered(&|item| item.tags[5].1 = "18446744073709551616".to_owned());
    assert_eq!(wrong, Err(AssignmentError::Value("Timestamp")));
    let wrong = altered(&|item| item.tags[9].1.truncate(42));
    assert_eq!(wrong, Err(AssignmentError::Value("Message")));
    // A second message, and a tag that AO does not know.
    let twice = altered(&|item| item.tags.insert(10, item.tags[9].clone()));
    assert_eq!(twice, Err(AssignmentError::Excess));
    let other = altered(&|item| item.tags.push(("Note".to_owned(), "x".to_owned())));
    assert_eq!(other, Err(AssignmentError::Excess));
}
