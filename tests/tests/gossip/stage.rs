//! A run to hear, and the keys of those who speak in it.

use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use surety_harness::cast::Plan;
use surety_harness::simulation::{Said, record};
use surety_harness::world::{Operator, World};
use surety_node::net::Topic;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::Address;
use surety_protocol::item::ItemKey;

/// A row of the table, as something that is told.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// So many messages of the run come before.
    pub(crate) after: usize,
    /// And these.
    pub(crate) before: Vec<Said>,
    pub(crate) said: Said,
}

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) said: Vec<Said>,
}

pub(crate) static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let plan = Plan {
        messages: 4,
        ..Plan::quiet(1)
    };
    let (world, said) = record(&plan).unwrap();
    Stage { world, said }
});

pub(crate) fn said(topic: Topic, data: impl Into<Arc<[u8]>>) -> Said {
    Said {
        topic,
        data: data.into(),
    }
}

/// A case that is told behind `after` messages of the run.
pub(crate) fn case(
    name: &'static str,
    after: usize,
    topic: Topic,
    data: impl Into<Arc<[u8]>>,
) -> Case {
    Case {
        name,
        after,
        before: Vec::new(),
        said: said(topic, data),
    }
}

/// The object in other bytes.
pub(crate) fn altered<T: Wire + Clone>(object: &T, change: impl FnOnce(&mut T)) -> Vec<u8> {
    let mut other = object.clone();
    change(&mut other);
    codec::encode(&other).unwrap()
}

impl Stage {
    /// The place of the first message of a topic that is such an object, and fits.
    pub(crate) fn first<T: Wire + DeserializeOwned>(
        &self,
        topic: &str,
        fits: impl Fn(&T) -> bool,
    ) -> (usize, T) {
        let mut all = self.said.iter().enumerate();
        let found = all.find_map(|(at, said)| {
            let object = (said.topic.name() == topic).then(|| codec::decode::<T>(&said.data).ok());
            Some((at, object.flatten().filter(&fits)?))
        });
        found.unwrap()
    }

    /// Who has an address.
    pub(crate) fn operator(&self, address: &Address) -> &Operator {
        let mut all = self.world.operators.iter();
        all.find(|it| it.address == *address).unwrap()
    }
}

/// The data-item key of an operator's node.
pub(crate) fn item_key(operator: &Operator) -> ItemKey {
    ItemKey::ed25519(&operator.item_seed)
}
