//! Sequences worked out by hand from AO's rules.

use surety_protocol::assignment::{AssignmentDraft, HashChain};
use surety_protocol::id::ProcessId;
use surety_protocol::item::{ItemDraft, ItemKey};
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

use super::*;

/// Seconds since 1970 at which the process begins, and the height.
const BEGIN: u64 = 1_790_000_003;
const HEIGHT: u64 = 100;

fn process(tags: &[(&str, &str)]) -> Authentic<Item> {
    let draft = tags
        .iter()
        .fold(ItemDraft::default(), |draft, (name, value)| {
            draft.tag(*name, *value)
        });
    ItemKey::ed25519(&[5; 32]).sign_item(&draft).unwrap()
}

fn assigned(timer: Option<&str>, milliseconds: u64, height: u64) -> Assignment {
    let process = ProcessId::new([1; 32]);
    let draft = AssignmentDraft {
        process,
        epoch: 0,
        slot: Slot(0),
        hash_chain: HashChain::start(&process),
        block_height: height,
        timestamp: Timestamp(milliseconds),
        message: None,
        exclude: Vec::new(),
        timer: timer.map(str::to_owned),
    };
    let item = ItemKey::ed25519(&[6; 32]).sign_item(&draft.to_item_draft(None));
    Assignment::from_item(&item.unwrap()).unwrap()
}

fn start(tags: &[(&str, &str)]) -> Clockwork {
    Clockwork::start(&process(tags), &assigned(None, BEGIN * 1000 + 250, HEIGHT)).unwrap()
}

fn pass(clockwork: &mut Clockwork, assignment: &Assignment) {
    let height = Height(assignment.block_height);
    clockwork.pass(assignment.timer.as_deref(), assignment.timestamp, height);
}

/// What a scheduler assigns until a moment, as timer, milliseconds since the beginning and height.
fn until(clockwork: &mut Clockwork, milliseconds: u64, height: u64) -> Vec<(String, u64, u64)> {
    let mut ticks = Vec::new();
    let now = Timestamp(BEGIN * 1000 + milliseconds);
    while let Some(tick) = clockwork.due(now, Height(height)) {
        let assignment = assigned(Some(&tick.timer), tick.timestamp.0, tick.height.0);
        assert!(clockwork.admits(&assignment), "{tick:?}");
        pass(clockwork, &assignment);
        let since = tick.timestamp.0 - BEGIN * 1000;
        ticks.push((tick.timer, since, tick.height.0));
    }
    ticks
}

fn table(rows: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    let row = |(timer, at, height): &(&str, u64, u64)| ((*timer).to_owned(), *at, *height);
    rows.iter().map(row).collect()
}

#[test]
fn intervals_are_read_as_ao_reads_them() {
    for (text, every) in [
        ("5-seconds", Some(Every::Seconds(5))),
        ("1-second", Some(Every::Seconds(1))),
        ("10-Minutes", Some(Every::Seconds(600))),
        ("2-h", Some(Every::Seconds(7200))),
        ("1-day", Some(Every::Seconds(86_400))),
        ("1-week", Some(Every::Seconds(604_800))),
        ("1-year", Some(Every::Seconds(31_557_600))),
        ("1500-ms", Some(Every::Seconds(1))),
        ("999-ms", None),
        ("1-block", Some(Every::Blocks(1))),
        ("20-blocks", Some(Every::Blocks(20))),
        ("0-blocks", None),
        ("01-block", None),
        ("+1-block", None),
        ("-1-seconds", None),
        ("5", None),
        ("5-fortnights", None),
        ("18446744073709551615-years", None),
    ] {
        assert_eq!(interval(text), every, "{text}");
    }
}

#[test]
fn tags_belong_to_the_timer_before_them() {
    let found = timers(&process(&[
        ("Cron-Tag-Lost", "a"),
        ("Cron-Interval", "5-seconds"),
        ("Cron-Tag-Action", "Tick"),
        ("Name", "other"),
        ("Cron-Tag-Kind", "short"),
        ("Cron-Interval", "often"),
        ("Cron-Tag-Action", "Never"),
        ("Cron-Interval", "1-block"),
        ("Cron-Tag-Action", "Block"),
    ]));
    let many: Vec<(&str, &str)> = vec![("Cron-Interval", "1-second"); 40];
    assert_eq!(timers(&process(&many)).len(), TIMERS_MAX);
    let told: Vec<_> = found
        .iter()
        .map(|it| (it.name.as_str(), it.tags.len()))
        .collect();
    assert_eq!(told, [("0-5-seconds", 2), ("2-1-block", 1)]);
    assert_eq!(found[1].tags, [("Action".to_owned(), "Block".to_owned())]);
    assert!(Clockwork::start(&process(&[("Name", "x")]), &assigned(None, 0, 0)).is_none());
}

#[test]
fn five_seconds_and_every_block() {
    let mut it = start(&[("Cron-Interval", "5-seconds"), ("Cron-Interval", "1-block")]);
    // Never at the origin; seconds count from that of the process' own assignment.
    assert_eq!(until(&mut it, 999, HEIGHT), []);
    assert_eq!(until(&mut it, 4_999, HEIGHT), []);
    assert_eq!(
        until(&mut it, 5_000, HEIGHT),
        table(&[("0-5-seconds", 5_000, 100)])
    );
    assert_eq!(
        until(&mut it, 7_300, 101),
        table(&[("1-1-block", 7_300, 101)])
    );
    // What is due when both are is in the order of time; a block's moment is now.
    assert_eq!(
        until(&mut it, 16_020, 103),
        table(&[
            ("0-5-seconds", 10_000, 101),
            ("0-5-seconds", 15_000, 101),
            ("1-1-block", 16_020, 102),
            ("1-1-block", 16_020, 103),
        ])
    );
    // At the same moment the block comes first.
    assert_eq!(
        until(&mut it, 20_000, 104),
        table(&[("1-1-block", 20_000, 104), ("0-5-seconds", 20_000, 104)])
    );
    assert_eq!(until(&mut it, 24_999, 104), []);
}

#[test]
fn shorter_intervals_come_first_and_blocks_in_their_order() {
    let mut it = start(&[
        ("Cron-Interval", "10-seconds"),
        ("Cron-Interval", "2-blocks"),
        ("Cron-Interval", "5-seconds"),
        ("Cron-Interval", "1-block"),
    ]);
    assert_eq!(
        until(&mut it, 10_500, 102),
        table(&[
            ("2-5-seconds", 5_000, 100),
            ("2-5-seconds", 10_000, 100),
            ("0-10-seconds", 10_000, 100),
            ("3-1-block", 10_500, 101),
            ("1-2-blocks", 10_500, 102),
            ("3-1-block", 10_500, 102),
        ])
    );
}

#[test]
fn a_block_that_has_begun_ends_at_its_moment() {
    let mut it = start(&[
        ("Cron-Interval", "1-block"),
        ("Cron-Interval", "1-block"),
        ("Cron-Interval", "1-second"),
    ]);
    assert_eq!(
        until(&mut it, 1_000, 100),
        table(&[("2-1-second", 1_000, 100)])
    );
    let first = it
        .due(Timestamp(BEGIN * 1000 + 1_900), Height(101))
        .unwrap();
    assert_eq!(first.timer, "0-1-block");
    pass(
        &mut it,
        &assigned(Some("0-1-block"), first.timestamp.0, 101),
    );
    // A second passes before the scheduler gets to the other timer of this block.
    assert_eq!(
        until(&mut it, 2_400, 101),
        table(&[("1-1-block", 1_900, 101), ("2-1-second", 2_000, 101)])
    );
}

#[test]
fn nothing_enters_before_what_is_due_nor_twice_nor_undue() {
    let at = |milliseconds: u64| BEGIN * 1000 + milliseconds;
    let mut it = start(&[("Cron-Interval", "5-seconds"), ("Cron-Interval", "1-block")]);
    assert!(it.admits(&assigned(None, at(4_999), 100)));
    assert!(!it.admits(&assigned(None, at(5_000), 100)));
    assert!(!it.admits(&assigned(None, at(4_000), 101)));
    assert!(!it.admits(&assigned(Some("0-5-seconds"), at(4_000), 100)));
    assert!(!it.admits(&assigned(Some("0-5-seconds"), at(10_000), 100)));
    assert!(!it.admits(&assigned(Some("0-4-seconds"), at(5_000), 100)));
    let tick = assigned(Some("0-5-seconds"), at(5_000), 100);
    assert!(it.admits(&tick));
    let before = it.position();
    pass(&mut it, &tick);
    assert!(!it.admits(&tick));
    assert!(it.admits(&assigned(None, at(5_000), 100)));
    it.rewind(before);
    assert!(it.admits(&tick));
}

#[test]
fn an_endless_absence_costs_no_more_than_its_ticks() {
    let mut it = start(&[
        ("Cron-Interval", "1-year"),
        ("Cron-Interval", "1000000-blocks"),
    ]);
    let ticks = until(&mut it, 10 * 31_557_600_000, 3_000_100);
    assert_eq!(ticks.len(), 13);
    let mut it = start(&[("Cron-Interval", "1-week")]);
    assert_eq!(
        it.due(Timestamp(u64::MAX), Height(u64::MAX))
            .unwrap()
            .height,
        Height(u64::MAX)
    );
    pass(&mut it, &assigned(None, u64::MAX, u64::MAX));
    assert_eq!(it.due(Timestamp(u64::MAX), Height(u64::MAX)), None);
}
