//! Strangers who know a network's nodes and say garbage to each of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use surety_harness::random::Random;
use surety_node::net::identity::keypair_of;
use surety_node::net::{self, NetConfig, NetEvent, NetHandle, Subnet, Topic};
use surety_protocol::id::NetworkId;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// Things that all of them say in a second.
const EACH_SECOND: u64 = 4_500;
/// Strangers to each node.
const TO_EACH: usize = 2;
/// How often each of them speaks.
const BEAT: Duration = Duration::from_millis(20);
/// How much of what they hear they remember, to alter it.
const OVERHEARD: usize = 64;
/// The longest random thing.
const LONGEST: u64 = 2_048;

/// What they did.
#[derive(Default)]
pub(crate) struct Told {
    /// Things said while connected.
    pub(crate) said: u64,
    /// How often one of them was thrown out.
    pub(crate) thrown_out: u64,
    /// Seconds that those lasted, together.
    pub(crate) lasted: f64,
}

/// All of them.
pub(crate) struct Strangers {
    network: NetworkId,
    addresses: Vec<String>,
    overheard: Mutex<VecDeque<(Topic, Vec<u8>)>>,
    said: AtomicU64,
    thrown_out: Mutex<(u64, f64)>,
}

/// Strangers at work.
pub(crate) struct Attack {
    strangers: Arc<Strangers>,
    runtime: tokio::runtime::Runtime,
    shutdown: CancellationToken,
    work: JoinSet<()>,
}

impl Strangers {
    pub(crate) fn new(network: NetworkId, addresses: Vec<String>) -> Strangers {
        Strangers {
            network,
            addresses,
            overheard: Mutex::default(),
            said: AtomicU64::new(0),
            thrown_out: Mutex::default(),
        }
    }

    /// Lets them speak until the end.
    pub(crate) fn begin(self: &Arc<Self>) -> Attack {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let shutdown = CancellationToken::new();
        let mut work = JoinSet::new();
        for (number, address) in (0..TO_EACH)
            .flat_map(|_| self.addresses.clone())
            .enumerate()
        {
            let (strangers, shutdown) = (Arc::clone(self), shutdown.clone());
            let lives = async move { strangers.lives(number as u64, address, &shutdown).await };
            work.spawn_on(lives, runtime.handle());
        }
        Attack {
            strangers: Arc::clone(self),
            runtime,
            shutdown,
            work,
        }
    }

    /// One stranger, who comes again under another key whenever it is thrown out.
    async fn lives(&self, number: u64, address: String, shutdown: &CancellationToken) {
        let mut random = Random::new(number);
        while !shutdown.is_cancelled() {
            let stop = shutdown.child_token();
            self.life(&mut random, &address, &stop).await;
            stop.cancel();
        }
    }

    async fn life(&self, random: &mut Random, address: &str, stop: &CancellationToken) {
        let config = NetConfig {
            bootstrap: vec![address.parse().expect("an address")],
            connections_target: 1,
            ..NetConfig::new(self.network)
        };
        let key = keypair_of(&mut random.bytes()).expect("a key");
        let (handle, mut events, _net) = net::spawn(config, key, stop.clone()).expect("a network");
        let connected = async {
            while let Some(event) = events.recv().await {
                if matches!(event, NetEvent::PeerConnected { .. }) {
                    return;
                }
            }
        };
        if timeout(Duration::from_secs(5), connected).await.is_err() {
            return;
        }
        let since = Instant::now();
        let beats = 1_000 / BEAT.as_millis() as u64;
        let all = (TO_EACH * self.addresses.len()) as u64;
        let count = EACH_SECOND.div_ceil(beats * all);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                event = events.recv() => match event {
                    None => return,
                    Some(NetEvent::PeerDisconnected { .. }) => break,
                    Some(NetEvent::Gossip { topic, data, .. }) => self.overhear(topic, data),
                    Some(_) => {}
                },
                _ = beat.tick() => {
                    for _ in 0..count {
                        self.say(random, &handle).await;
                    }
                }
            }
        }
        let mut thrown_out = self.thrown_out.lock().unwrap();
        thrown_out.0 += 1;
        thrown_out.1 += since.elapsed().as_secs_f64();
    }

    fn overhear(&self, topic: Topic, data: Vec<u8>) {
        let mut overheard = self.overheard.lock().unwrap();
        overheard.push_back((topic, data));
        if overheard.len() > OVERHEARD {
            overheard.pop_front();
        }
    }

    /// Says something random, or something heard that is cut, altered, or on another topic.
    async fn say(&self, random: &mut Random, handle: &NetHandle) {
        let heard = {
            let overheard = self.overheard.lock().unwrap();
            let count = overheard.len() as u64;
            let place = usize::try_from(random.below(count.max(1))).unwrap_or(0);
            overheard.get(place).cloned()
        };
        let (topic, data) = match heard.filter(|_| !random.percent(25)) {
            Some((topic, data)) => {
                let altered = altered(random, data.clone());
                let elsewhere = anywhere(random);
                match random.percent(10) {
                    true => (elsewhere, data),
                    false => (topic, altered),
                }
            }
            None => {
                let length = random.between(1, LONGEST);
                let bytes = (0..length).map(|_| random.below(256) as u8).collect();
                (anywhere(random), bytes)
            }
        };
        if handle.publish(topic, data).await.is_ok() {
            self.said.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Any topic, of each kind as often.
fn anywhere(random: &mut Random) -> Topic {
    let subnets: Vec<Subnet> = Subnet::all().collect();
    let subnet = *random.pick(&subnets).expect("subnets");
    *random.pick(&Topic::each(subnet)).expect("topics")
}

/// The same with a bit turned, or cut.
fn altered(random: &mut Random, mut data: Vec<u8>) -> Vec<u8> {
    let place = usize::try_from(random.below(data.len().max(1) as u64)).unwrap_or(0);
    match data.get_mut(place) {
        Some(byte) if random.percent(75) => *byte ^= 1 << random.below(8),
        _ => data.truncate(place),
    }
    data
}

impl Attack {
    /// Silences them, and says what they did.
    pub(crate) fn end(mut self) -> Told {
        self.shutdown.cancel();
        self.runtime
            .block_on(async { while self.work.join_next().await.is_some() {} });
        let (thrown_out, lasted) = *self.strangers.thrown_out.lock().unwrap();
        Told {
            said: self.strangers.said.load(Ordering::Relaxed),
            thrown_out,
            lasted,
        }
    }
}
