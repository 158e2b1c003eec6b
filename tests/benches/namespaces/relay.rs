//! The network between the hosts: it reads packets from the device of each and writes them to that of another, as the weather has it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use surety_harness::random::Random;
use tokio::runtime::Runtime;
use tun_rs::{AsyncDevice, DeviceBuilder};

use super::link::{Counts, Link};
use super::weather::Weather;

/// The first three bytes of every host's address; the fourth is its number.
const NETWORK: [u8; 3] = [10, 77, 0];
/// The longest packet that a device gives.
const PACKET_MAX: usize = 1 << 16;

/// The address of a host.
pub(crate) fn address(host: u8) -> String {
    let [a, b, c] = NETWORK;
    format!("{a}.{b}.{c}.{host}")
}

/// The name of a host's device.
pub(crate) fn device_name(host: u8) -> String {
    format!("surety-{host}")
}

/// What all links share.
#[derive(Default)]
struct Sky {
    weather: RwLock<Weather>,
    counts: Mutex<Counts>,
}

/// The devices, and what carries packets between them until it is dropped.
pub(crate) struct Relay {
    sky: Arc<Sky>,
    devices: BTreeMap<u8, Arc<AsyncDevice>>,
    observer: u8,
    runtime: Runtime,
}

impl Relay {
    /// Makes a device for each host and for the observer, here and not yet up.
    pub(crate) fn new(hosts: &[u8], observer: u8) -> io::Result<Relay> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let mut devices = BTreeMap::new();
        {
            let _entered = runtime.enter();
            for host in hosts.iter().copied().chain([observer]) {
                let device = DeviceBuilder::new().name(device_name(host)).enable(false);
                devices.insert(host, Arc::new(device.build_async()?));
            }
        }
        Ok(Relay {
            sky: Arc::default(),
            devices,
            observer,
            runtime,
        })
    }

    /// Begins to carry; the devices are up. Equal seeds lose the same packets of each link.
    pub(crate) fn carry(&self, seed: u64) {
        let mut random = Random::new(seed);
        let _entered = self.runtime.enter();
        for (&from, device) in &self.devices {
            let others = self.devices.iter().filter(|(to, _)| **to != from);
            let links = others.map(|(&to, device)| {
                let link = Link::new(from, to, random.fork(), Arc::clone(device));
                let calm = [from, to].contains(&self.observer);
                (to, (link, calm))
            });
            let links = links.collect();
            tokio::spawn(route(Arc::clone(&self.sky), Arc::clone(device), links));
        }
    }

    /// Changes the weather; what is on its way arrives when it would have.
    pub(crate) fn set(&self, weather: Weather) {
        *self
            .sky
            .weather
            .write()
            .unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// What became of packets since this was last asked.
    pub(crate) fn counts(&self) -> Counts {
        std::mem::take(&mut *self.sky.counts())
    }
}

impl Sky {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives what a host sends to its links.
async fn route(sky: Arc<Sky>, device: Arc<AsyncDevice>, mut links: BTreeMap<u8, (Link, bool)>) {
    let calm = Weather::default();
    let mut buffer = vec![0; PACKET_MAX];
    // A device gives no more when it is gone.
    while let Ok(length) = device.recv(&mut buffer).await {
        let packet = buffer.get(..length).unwrap_or_default();
        let Some((link, observed)) = destination(packet).and_then(|to| links.get_mut(&to)) else {
            continue;
        };
        let weather = sky.weather.read().unwrap_or_else(PoisonError::into_inner);
        let weather = if *observed { &calm } else { &*weather };
        // What the observer hears and says does not count.
        let mut unseen = Counts::default();
        match *observed {
            true => link.take(packet, weather, &mut unseen),
            false => link.take(packet, weather, &mut sky.counts()),
        }
    }
}

/// The host that a packet is for; nothing if it is for none here, or not of IPv4.
fn destination(packet: &[u8]) -> Option<u8> {
    let version = packet.first()? >> 4;
    let [network @ .., host] = packet.get(16..20)? else {
        return None;
    };
    (version == 4 && network == NETWORK).then_some(*host)
}
