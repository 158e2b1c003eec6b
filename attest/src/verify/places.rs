//! Places of which no claimant can take all (rule VE-13).

use surety_protocol::id::Address;
use surety_protocol::validators::ValidatorSet;

use crate::shares::Shares;

/// How many places are taken, and by whose claims.
#[derive(Debug, Default)]
pub(super) struct Places(Shares<Address>);

/// The tickets of all claimants.
#[derive(Debug)]
pub(super) struct Tickets<'a> {
    validators: &'a ValidatorSet,
    all: u64,
}

impl Tickets<'_> {
    pub(super) fn of(validators: &ValidatorSet) -> Tickets<'_> {
        let all = validators.tickets_without(&[]);
        Tickets { validators, all }
    }
}

impl Places {
    pub(super) const fn new() -> Places {
        Places(Shares::new())
    }

    /// Takes one for a claim of somebody.
    pub(super) fn take(&mut self, claimant: Address) {
        self.0.take(claimant);
    }

    /// Gives one back that was taken for a claim of somebody.
    pub(super) fn leave(&mut self, claimant: &Address) {
        self.0.leave(claimant);
    }

    /// Whether there is one more for somebody's claims among so many: nobody has more than half as many as are free, but a share of
    /// half of them by its tickets in any case, and one at least. So there may be half as many more than so many, and one for
    /// each.
    pub(super) fn has(&self, most: usize, claimant: &Address, tickets: &Tickets<'_>) -> bool {
        if self.0.has_room(most, 0, claimant) {
            return true;
        }
        let taken = self.0.of(claimant);
        let half = most / 2;
        let held = tickets.validators.get(claimant).map_or(0, |it| it.tickets);
        let half = u64::try_from(half).unwrap_or(u64::MAX);
        let share = half
            .saturating_mul(held)
            .checked_div(tickets.all)
            .unwrap_or(0)
            .max(1);
        u64::try_from(taken).is_ok_and(|taken| taken < share)
    }
}

impl FromIterator<Address> for Places {
    fn from_iter<T: IntoIterator<Item = Address>>(claimants: T) -> Places {
        Places(claimants.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use surety_protocol::bls::SecretKey;
    use surety_protocol::stake::Stake;
    use surety_protocol::validators::Validator;

    use super::*;

    fn claimant(number: u8) -> Address {
        Address::new([number; 32])
    }

    /// Claimants with as many tickets as their numbers say.
    fn validators() -> ValidatorSet {
        let key = SecretKey::derive_from_seed(&[7; 32]).unwrap();
        let validators = (1..=10).map(|number| Validator {
            operator: claimant(number),
            key: *key.public_key(),
            item_key: claimant(number),
            stake: Stake::from_ao(u64::from(number)),
            tickets: u64::from(number),
        });
        ValidatorSet::new(validators.collect())
    }

    /// As many as there are for somebody.
    fn fill(places: &mut Places, most: usize, number: u8) -> usize {
        let mut taken = 0;
        while places.has(most, &claimant(number), &Tickets::of(&validators())) {
            places.take(claimant(number));
            taken += 1;
        }
        taken
    }

    #[test]
    fn nobody_takes_the_places_of_others() {
        let mut places = Places::new();
        assert_eq!(
            fill(&mut places, 330, 1),
            110,
            "as many as half of those that are left"
        );
        assert_eq!(fill(&mut places, 330, 2), 73);
        assert!(fill(&mut places, 330, 3) > 45);
        // A share for each, whatever the first have.
        for number in 4..=10 {
            assert!(fill(&mut places, 330, number) >= 3 * usize::from(number));
        }
        assert_eq!(fill(&mut places, 330, 1), 0);
        // Who has lost its tickets since has one.
        assert_eq!(fill(&mut places, 330, 99), 1);
        assert!(places.0.all() <= 330 + 165 + 1);
        places.leave(&claimant(10));
        assert_eq!(fill(&mut places, 330, 9), 0);
        assert_eq!(fill(&mut places, 330, 10), 1);
    }
}
