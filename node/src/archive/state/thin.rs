//! Which states of a process are kept (rule SK-4).

/// Which states are kept without gaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// So many of the last.
    pub(super) recent: usize,
    /// Inputs that are certified: the last state at or before them is where the next certificate starts from.
    pub(super) certified: u64,
    /// So many from that one on.
    pub(super) next: usize,
}

/// Of states after so many inputs, ascending, those that need not be kept: all but those without gaps, and of the others all but
/// the oldest of each range of ages from one power of two to the next.
pub(super) fn superfluous(sizes: &[u64], kept: Kept) -> Vec<u64> {
    let Some(newest) = sizes.last() else {
        return Vec::new();
    };
    let old = sizes.get(..sizes.len().saturating_sub(kept.recent));
    let old = old.unwrap_or_default();
    let after = sizes.partition_point(|size| *size <= kept.certified);
    let first = after.saturating_sub(1);
    let next = sizes.iter().skip(first).take(kept.next);
    let next: Vec<u64> = next.copied().collect();
    let range = |size: &u64| (newest - size).checked_ilog2();
    let pairs = old.iter().zip(old.iter().skip(1));
    pairs
        .filter(|(older, size)| range(older) == range(size) && !next.contains(size))
        .map(|(_, size)| *size)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_are_kept_and_each_input_is_near_one(
            steps in prop::collection::vec(1..40_u64, 1..600),
            // How much of what there is becomes certified, and when it stops.
            (share, until) in (1..8_u64, 0..600_usize),
        ) {
            const RECENT: usize = 4;
            const NEXT: usize = 3;
            // Ages are told apart no finer than inputs come, and what has no gaps is thinned out that much later than its age says.
            const STEPS: u64 = (RECENT + NEXT) as u64 * 40;
            let (mut kept, mut newest, mut certified) = (Vec::new(), 0, 0);
            let mut starts = None;
            for (at, step) in steps.into_iter().enumerate() {
                newest += step;
                kept.push(newest);
                if at < until {
                    certified = newest - newest.min(share * 20);
                    starts = kept.iter().rfind(|it| **it <= certified).copied();
                }
                let gapless = Kept { recent: RECENT, certified, next: NEXT };
                for size in superfluous(&kept, gapless) {
                    kept.retain(|it| *it != size);
                }
                prop_assert!(superfluous(&kept, gapless).is_empty());
                prop_assert!(kept.len() <= RECENT + NEXT + 15, "{} are kept", kept.len());
                // However long nothing more is certified, it can go on.
                prop_assert!(starts.is_none_or(|it| kept.contains(&it)));
                let first = kept[0];
                for size in first..=newest {
                    let before = kept.iter().rfind(|it| **it <= size).unwrap();
                    let (age, reached) = (newest - size, newest - before);
                    prop_assert!(reached <= 8 * (age + STEPS), "{before} for {size} of {newest}");
                }
            }
        }
    }
}
