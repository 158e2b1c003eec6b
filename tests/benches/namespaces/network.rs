//! Seven nodes on hosts of their own, the network between them, and the observer's place in it.

use std::path::Path;

use super::founding::Founded;
use super::host::{self, Host};
use super::link::Counts;
use super::node::{self, Node, Told};
use super::program::text;
use super::relay::Relay;
use super::weather::Weather;

/// How many nodes.
pub(crate) const NODES: usize = 7;
/// The number of the benchmark's own address; hosts are numbered from 1.
const OBSERVER: u8 = 254;
/// The seed of everything that the network between the hosts draws.
const SEED: u64 = 1;

/// A network that runs until it is dropped; nothing of it is left then.
pub(crate) struct Network {
    nodes: Vec<Node>,
    relay: Relay,
    hosts: Vec<Host>,
    founded: Founded,
}

/// The number of the host of a node.
pub(crate) fn host_of(node: usize) -> u8 {
    u8::try_from(node + 1).expect("few nodes")
}

impl Network {
    /// Founds a network, and starts its nodes in namespaces; one of them commits a fault.
    pub(crate) fn start(liar: usize, fault: &str) -> Network {
        host::remove_leftovers();
        let founded = Founded::new(NODES);
        let numbers: Vec<u8> = (0..NODES).map(host_of).collect();
        let relay = Relay::new(&numbers, OBSERVER).expect("devices");
        let hosts: Vec<Host> = numbers.iter().map(|number| Host::new(*number)).collect();
        host::set_up_here(OBSERVER);
        relay.carry(SEED);
        let mut network = Network {
            nodes: Vec::new(),
            relay,
            hosts,
            founded,
        };
        let peer = network.founded.node(0)["p2p"][0].as_str();
        let peer = peer
            .and_then(|it| it.split_once("/p2p/"))
            .expect("a peer")
            .1;
        let first = node::listen(&network.hosts[0]);
        let first: Vec<String> = first.iter().map(|it| format!("{it}/p2p/{peer}")).collect();
        for (index, host) in network.hosts.iter().enumerate() {
            let dir = text(network.founded.node(index), "dir");
            let told = Told {
                bootstrap: if index == 0 {
                    Vec::new()
                } else {
                    first.clone()
                },
                fault: (index == liar).then_some(fault),
            };
            network
                .nodes
                .push(Node::start(host, Path::new(&dir), &told));
        }
        network
    }

    /// Where each node answers.
    pub(crate) fn http(&self) -> Vec<String> {
        self.hosts.iter().map(node::http).collect()
    }

    pub(crate) const fn founded(&self) -> &Founded {
        &self.founded
    }

    /// What became of packets since the weather changed.
    pub(crate) fn counts(&self) -> Counts {
        self.relay.counts()
    }

    /// Changes the weather; packets are counted anew.
    pub(crate) fn set(&self, weather: Weather) {
        self.relay.counts();
        self.relay.set(weather);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        node::stop(&mut self.nodes);
    }
}
