//! Votes for the next profile (rules L-50 and L-51), and which claims are heard (rule L-52).

use surety_protocol::origin::Action;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Activation, NotProfiles};
use surety_protocol::time::Height;
use surety_slashing::ledger::{ItemRefused, LedgerEvent};

use crate::support::{Person, Process, World, ao, claim_of, params, profile, refusals};

fn wanted(from: Height, stride: u64) -> Activation {
    Activation {
        from,
        profile: Profile {
            stride,
            ..profile()
        },
    }
}

fn vote(wanted: &Activation) -> Action {
    Action::Profile(Box::new(wanted.clone()))
}

#[test]
fn more_than_two_thirds_of_the_stake_add_a_profile() {
    let people = [1, 2, 3, 4].map(Person::new);
    let mut world = World::staked(params(), &people.each_ref());
    let from = world.ledger.height().plus(40);
    let (one, other) = (wanted(from, 5), wanted(from, 6));
    let before = world.ledger.profiles().clone();
    // The second changes its mind: its last word counts.
    for (person, said) in [(0, &one), (1, &one), (1, &other), (2, &one)] {
        let events = world.act(&people[person].wallet, vote(said));
        assert!(refusals(&events).is_empty());
        assert_eq!(*world.ledger.profiles(), before);
    }
    assert_eq!(world.ledger.profile_votes().count(), 3);
    // What unbonds has no say: of three that are left, two say the same, and that is not more.
    world.act(&people[3].wallet, Action::Unbond(ao(500)));
    world.act(&people[2].wallet, vote(&one));
    assert_eq!(*world.ledger.profiles(), before);
    let events = world.act(&people[1].wallet, vote(&one));
    assert!(events.contains(&LedgerEvent::Profile(one.clone())));
    let profiles = world.ledger.profiles();
    assert_eq!(profiles.iter().count(), 2);
    assert_eq!(profiles.at(from.minus(1)).profile, profile());
    assert_eq!(profiles.at(from).profile, one.profile);
    assert_eq!(world.ledger.profile_votes().count(), 0);
    // The next one comes after it.
    let same = vote(&other);
    assert_eq!(
        world.refused(&people[0].wallet, same),
        ItemRefused::Profile(NotProfiles::Height)
    );
}

#[test]
fn what_cannot_hold_is_no_vote() {
    let (a, b) = (Person::new(1), Person::new(2));
    let mut world = World::staked(params(), &[&a]);
    let notice = world.ledger.params().profile_notice_blocks;
    let from = world.ledger.height().plus(100);
    let good = vote(&wanted(from, 5));
    // The operator itself speaks, not its node.
    for (other, reason) in [
        (&b.wallet, ItemRefused::Stranger),
        (&a.node, ItemRefused::NotRegistered),
    ] {
        assert_eq!(world.refused(other, good.clone()), reason);
    }
    let mut gone = World::staked(params(), &[&a, &b]);
    gone.act(&b.wallet, Action::Unbond(ao(500)));
    let refused = gone.refused(&b.wallet, good);
    assert_eq!(refused, ItemRefused::NotActive);
    let near = world.ledger.height().plus(notice);
    let refused = world.refused(&a.wallet, vote(&wanted(near, 5)));
    assert_eq!(refused, ItemRefused::Notice);
    for (stride, why) in [
        (0, NotProfiles::Unbounded),
        (u64::MAX, NotProfiles::Unbounded),
    ] {
        let refused = world.refused(&a.wallet, vote(&wanted(from, stride)));
        assert_eq!(refused, ItemRefused::Profile(why));
    }
    assert_eq!(world.ledger.profile_votes().count(), 0);
}

#[test]
fn a_claim_names_what_holds_at_its_height() {
    let a = Person::new(1);
    let mut world = World::staked(params(), &[&a]);
    let process = Process::new(&Person::new(0x61).node, "p", 4);
    let from = world.ledger.horizon().plus(1);
    let next = wanted(from, 5);
    let claim = claim_of(&world, &process, &process.leaves(4), 0);
    let at = |height: Height| {
        let mut claim = claim.clone();
        claim.height = height;
        claim
    };
    // One operator is more than two thirds of one.
    world.act(&a.wallet, vote(&next));
    assert!(world.ledger.hears(&at(from.minus(1))));
    assert!(!world.ledger.hears(&at(from)));
    let mut other = at(from);
    other.profile = world.ledger.profiles().at(from).id;
    assert!(world.ledger.hears(&other));
    other.height = from.minus(1);
    assert!(!world.ledger.hears(&other));
    // Nobody knows yet what holds beyond the horizon.
    other.height = world.ledger.horizon().plus(1);
    assert!(!world.ledger.hears(&other));
    world.block();
    assert!(world.ledger.hears(&other));
}
