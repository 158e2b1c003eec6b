//! What those with a ploy do (rule CA-7).

use surety_attest::effect::Want;
use surety_node::net::Topic;
use surety_protocol::claim::{SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::id::ProfileId;
use surety_protocol::item::Item;

use super::Simulation;
use crate::network::Wanted;
use crate::node::Heard;
use crate::ploy::{Plotter, Ploy};

impl Simulation {
    /// Who has this ploy now.
    pub(super) fn plots(&self, ploy: Ploy) -> Option<Plotter> {
        let over = self.healed && matches!(ploy, Ploy::Censor | Ploy::Eclipse);
        self.cast.plotter.filter(|it| it.ploy == ploy && !over)
    }

    /// Whether nothing gets from one to the other because somebody has cut it off, or does not want to say it.
    pub(super) fn is_kept_from(&mut self, who: usize, heard: &Heard, to: usize) -> bool {
        let withheld = self.plots(Ploy::Withhold);
        if withheld.is_some_and(|it| it.villain == who) {
            let own = heard.origin == who;
            // A lie that nobody hears is none.
            let some = own && heard.topic == Topic::Claims && !self.cast.lies(who);
            return !own || (some && self.random.percent(50));
        }
        if !self.is_cut_off(who, to) {
            let half = self.plots(Ploy::Eclipse);
            let half = half.is_some_and(|it| it.villain == who && it.victim == to);
            return half && self.random.percent(50);
        }
        true
    }

    /// Whether somebody has cut one of them off from the other.
    pub(super) fn is_cut_off(&self, one: usize, other: usize) -> bool {
        self.plots(Ploy::Eclipse).is_some_and(|it| {
            let pair = [one, other];
            pair.contains(&it.victim) && !pair.contains(&it.villain)
        })
    }

    /// Who is linked with a node because one of them has eclipsed the other.
    pub(super) fn eclipse(&self, who: usize) -> impl Iterator<Item = usize> {
        let pair = self.plots(Ploy::Eclipse).map(|it| [it.villain, it.victim]);
        let pair = pair
            .filter(|pair| pair.contains(&who))
            .into_iter()
            .flatten();
        pair.filter(move |it| *it != who)
    }

    /// Whether a peer does not answer who asks it.
    pub(super) fn is_silent(&self, peer: usize, who: usize, wanted: &Wanted) -> bool {
        let plotter = self.cast.plotter.filter(|it| it.villain == peer);
        let plotter = plotter.and_then(|it| self.plots(it.ploy));
        plotter.is_some_and(|it| match it.ploy {
            Ploy::Withhold => true,
            Ploy::Eclipse => it.victim == who,
            Ploy::Skew => matches!(wanted, Wanted::Want(Want::Claims { .. })),
            Ploy::Censor | Ploy::Whale => false,
        })
    }

    /// Whether who orders blocks does not want to hear this.
    pub(super) fn is_censored(&self, to: usize, heard: &Heard) -> bool {
        let Some(plotter) = self.plots(Ploy::Censor).filter(|it| it.villain == to) else {
            return false;
        };
        let victim = self.world.operators.get(plotter.victim);
        let item = Item::parse(heard.data.to_vec());
        heard.topic == Topic::Ledger
            && item.is_ok_and(|it| {
                let owner = it.owner_address();
                victim.is_some_and(|it| it.address == owner || it.item_key == owner)
            })
    }

    /// What one of another version says in place of this claim.
    pub(super) fn skewed(&self, who: usize, topic: Topic, data: &[u8]) -> Option<Vec<u8>> {
        self.plots(Ploy::Skew).filter(|it| it.villain == who)?;
        let claim: SignedClaim = Some(topic)
            .filter(|it| *it == Topic::Claims)
            .and_then(|_| codec::decode(data).ok())?;
        let operator = self.world.operators.get(who)?;
        let mut body = claim.statement.claim.clone();
        body.profile = ProfileId::new([0x5e; 32]);
        let statement = Statement::sign(body, operator.address, &operator.hot_key).ok()?;
        codec::encode(&SignedClaim { statement, ..claim }).ok()
    }
}
