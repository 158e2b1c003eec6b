use super::*;

fn at(from: u64, stride: u64) -> Activation {
    Activation {
        from: Height(from),
        profile: Profile {
            stride,
            ..Profile::v1()
        },
    }
}

fn profiles(all: &[Activation]) -> Result<Profiles, NotProfiles> {
    Profiles::try_from(all.to_vec())
}

#[test]
fn the_last_that_has_begun_to_hold_holds() {
    let three = profiles(&[at(0, 16), at(10, 4), at(20, 8)]).unwrap();
    let strides = [0, 9, 10, 19, 20, u64::MAX].map(|it| three.at(Height(it)).profile.stride);
    assert_eq!(strides, [16, 16, 4, 4, 8, 8]);
}

#[test]
fn an_id_names_everything_before_it() {
    let three = profiles(&[at(0, 16), at(10, 4), at(20, 8)]).unwrap();
    let others = [
        profiles(&[at(0, 15), at(10, 4), at(20, 8)]),
        profiles(&[at(0, 16), at(11, 4), at(20, 8)]),
        profiles(&[at(0, 16), at(10, 5), at(20, 8)]),
        profiles(&[at(0, 16), at(10, 4), at(21, 8)]),
        profiles(&[at(0, 16), at(20, 8)]),
        profiles(&[at(0, 8)]),
    ];
    for other in others {
        assert_ne!(other.unwrap().last().id, three.last().id);
    }
    let first = three.at(Height(0));
    assert_eq!(first.id, first.profile.id().unwrap());
    for (place, it) in three.iter().enumerate() {
        let until = three.until(&it.id).unwrap();
        assert_eq!(until.iter().count(), place + 1);
        assert_eq!(until.last(), it);
    }
    assert_eq!(three.until(&ProfileId::default()), None);
}

#[test]
fn what_is_no_list_of_a_network_is_refused() {
    let shrunk = |change: fn(&mut Profile)| {
        let mut it = at(10, 4);
        change(&mut it.profile);
        profiles(&[at(0, 16), it])
    };
    let many: Vec<Activation> = (0..17).map(|it| at(it, 16)).collect();
    let cases = [
        (profiles(&[]), NotProfiles::Count),
        (profiles(&many), NotProfiles::Count),
        (profiles(&[at(1, 16)]), NotProfiles::Height),
        (profiles(&[at(0, 16), at(0, 4)]), NotProfiles::Height),
        (
            profiles(&[at(0, 16), at(9, 4), at(8, 4)]),
            NotProfiles::Height,
        ),
        (profiles(&[at(0, 0)]), NotProfiles::Unbounded),
        (profiles(&[at(0, 16), at(9, 257)]), NotProfiles::Unbounded),
        (shrunk(|it| it.version = 0), NotProfiles::Shrinks),
        (shrunk(|it| it.memory_bytes_max -= 1), NotProfiles::Shrinks),
        (shrunk(|it| it.module_bytes_max -= 1), NotProfiles::Shrinks),
    ];
    for (found, wrong) in cases {
        assert_eq!(found.unwrap_err(), wrong);
    }
    assert!(profiles(&many[..PROFILES_MAX]).is_ok());
}

#[test]
fn a_stride_has_one_profile_and_the_next_another() {
    // From height 10 on strides of 3 instead of 4.
    let two = profiles(&[at(0, 4), at(10, 3)]).unwrap();
    let stamps = [5, 5, 6, 9, 9, 9, 9, 10, 10, 10, 10, 11, 12, 13, 14];
    let mut stride = Stride::default();
    let mut seen = Vec::new();
    for (slot, stamp) in (0..).zip(stamps) {
        let height = stride.height(Height(stamp));
        let ends = stride.advance(&two, Slot(slot), Height(stamp), 1);
        seen.push((two.at(height).profile.stride, ends));
    }
    let whole = [
        // Slot 0, a whole stride, and one in which the first stamp of 10 comes.
        (4, true),
        (4, false),
        (4, false),
        (4, false),
        (4, true),
        (4, false),
        (4, false),
        (4, false),
        (4, true),
        // Under the other profile.
        (3, false),
        (3, false),
        (3, true),
        (3, false),
        (3, false),
        (3, true),
    ];
    assert_eq!(seen, whole);
}

#[test]
fn following_counts_what_advancing_counts() {
    let two = profiles(&[at(0, 4), at(10, 3)]).unwrap();
    let (mut one, mut other) = (Stride::default(), Stride::default());
    for (slot, stamp) in (0..).zip([1, 2, 3, 8, 9, 10, 10, 11, 12]) {
        let height = one.height(Height(stamp));
        let ends = one.advance(&two, Slot(slot), Height(stamp), slot);
        other.follow(height, slot, ends);
        assert_eq!(one, other);
    }
}
