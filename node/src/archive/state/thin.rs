//! Which states of a process are kept (rule SK-4).

/// Of states after so many inputs, ascending, those that need not be kept: all but the last `recent`, and before them all but
/// the oldest of each range of ages from one power of two to the next.
pub(super) fn superfluous(sizes: &[u64], recent: usize) -> Vec<u64> {
    let Some(newest) = sizes.last() else {
        return Vec::new();
    };
    let old = sizes.get(..sizes.len().saturating_sub(recent));
    let old = old.unwrap_or_default();
    let range = |size: &u64| (newest - size).checked_ilog2();
    let pairs = old.iter().zip(old.iter().skip(1));
    pairs
        .filter(|(older, size)| range(older) == range(size))
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
        ) {
            const RECENT: usize = 4;
            // Ages are told apart no finer than inputs come: by a few steps.
            const STEPS: u64 = 4 * 40;
            let (mut kept, mut newest) = (Vec::new(), 0);
            for step in steps {
                newest += step;
                kept.push(newest);
                for size in superfluous(&kept, RECENT) {
                    kept.retain(|it| *it != size);
                }
                prop_assert!(superfluous(&kept, RECENT).is_empty());
                prop_assert!(kept.len() <= RECENT + 15, "{} are kept", kept.len());
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
