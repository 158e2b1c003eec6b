//! Who asks, and how often (rules HT-10 and HT-12).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use axum::http::{HeaderMap, StatusCode};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::problem::Problem;

/// All clients that a proxy does not name.
const UNNAMED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// Clients that are counted at once.
const CLIENTS_MAX: usize = 65_536;
/// Requests that make the node execute, of one client in a second, and twice as many at once: what the page of a wallet asks when it
/// is opened (rule HT-12).
const EXECUTIONS: NonZeroU32 = match NonZeroU32::new(10) {
    Some(rate) => rate,
    None => NonZeroU32::MIN,
};

/// What a node allows each of its clients.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowance {
    /// Requests per second, and twice as many at once; none is any number.
    pub rate: Option<NonZeroU32>,
    /// Whether a proxy on this machine says in `X-Forwarded-For` who asks.
    pub proxied: bool,
}

/// How often each client did something.
#[derive(Debug)]
struct Rates(DefaultKeyedRateLimiter<IpAddr>);

impl Rates {
    /// So many a second, and twice as many at once.
    fn of(rate: NonZeroU32) -> Rates {
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        let quota = Quota::per_second(rate).allow_burst(burst);
        Rates(DefaultKeyedRateLimiter::keyed(quota))
    }

    /// Counts a client once more. Those on this machine are not counted.
    fn count(&self, client: IpAddr, detail: &'static str) -> Result<(), Problem> {
        if client.is_loopback() {
            return Ok(());
        }
        if self.0.len() >= CLIENTS_MAX {
            self.0.retain_recent();
            if self.0.len() >= CLIENTS_MAX {
                return Err(Problem::busy("too many clients ask"));
            }
        }
        let often = |_| Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail);
        self.0.check_key(&client).map_err(often)
    }
}

/// All clients.
#[derive(Debug)]
pub(super) struct Clients {
    proxied: bool,
    requests: Option<Rates>,
    executions: Rates,
}

impl Clients {
    pub(super) fn new(allowance: Allowance) -> Clients {
        Clients {
            proxied: allowance.proxied,
            requests: allowance.rate.map(Rates::of),
            executions: Rates::of(EXECUTIONS),
        }
    }

    /// Who asks: the other end of a connection or, if that is the proxy, whom it names last.
    pub(super) fn client(&self, end: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.proxied || !end.to_canonical().is_loopback() {
            return network(end);
        }
        // What stands before the last comma the client itself may have written.
        let named = headers.get_all("x-forwarded-for").iter().next_back();
        let last = named.and_then(|it| it.to_str().ok()?.rsplit(',').next());
        // Whom the proxy does not name is one of all those.
        last.and_then(|it| address(it.trim()))
            .map_or(UNNAMED, network)
    }

    /// Counts a request of a client.
    ///
    /// # Errors
    /// 429 if it asks too often.
    pub(super) fn count(&self, client: IpAddr) -> Result<(), Problem> {
        match &self.requests {
            Some(rates) => rates.count(client, "too many requests of one client"),
            None => Ok(()),
        }
    }

    /// Counts a request of a client that makes the node execute.
    ///
    /// # Errors
    /// 429 if it sends too many of them.
    pub(super) fn executes(&self, client: IpAddr) -> Result<(), Problem> {
        let detail = "too many dry runs, or states asked for, of one client";
        self.executions.count(client, detail)
    }
}

/// An address, which some proxies write with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = text.parse::<SocketAddr>().map(|it| it.ip());
    bare.parse().or(with_port).ok()
}

/// Whoever has one address of a network of IPv6 has all of it.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) if !it.is_loopback() => {
            let [a, b, c, d, ..] = it.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        it => it,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(rate: u32, proxied: bool) -> Clients {
        let rate = NonZeroU32::new(rate);
        Clients::new(Allowance { rate, proxied })
    }

    fn forwarded(texts: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append("x-forwarded-for", text.parse().unwrap());
        }
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_asks_is_the_other_end_or_whom_its_proxy_names_last() {
        let said = forwarded(&["198.51.100.1", "203.0.113.9, 192.0.2.7"]);
        let nothing = HeaderMap::new();
        let port = forwarded(&["192.0.2.7:4711"]);
        let brackets = forwarded(&["[2001:db8:1:2::9]:443"]);
        let garbage = forwarded(&["unknown"]);
        let cases = [
            (false, "127.0.0.1", &said, "127.0.0.1"),
            (true, "127.0.0.1", &said, "192.0.2.7"),
            (true, "::1", &said, "192.0.2.7"),
            (true, "127.0.0.1", &nothing, "0.0.0.0"),
            (true, "127.0.0.1", &port, "192.0.2.7"),
            (true, "127.0.0.1", &brackets, "2001:db8:1:2::"),
            (true, "127.0.0.1", &garbage, "0.0.0.0"),
            // Who is no proxy names nobody.
            (true, "192.0.2.1", &said, "192.0.2.1"),
            (false, "2001:db8:1:2:3:4:5:6", &nothing, "2001:db8:1:2::"),
            (false, "::ffff:192.0.2.1", &nothing, "192.0.2.1"),
        ];
        for (proxied, end, headers, client) in cases {
            let found = clients(1, proxied).client(ip(end), headers);
            assert_eq!(found, ip(client), "{end}");
        }
    }

    #[test]
    fn one_client_that_asks_too_often_is_refused_and_others_are_not() {
        let clients = clients(5, false);
        let one = ip("192.0.2.1");
        let taken = (0..100).filter(|_| clients.count(one).is_ok()).count();
        assert!((10..20).contains(&taken), "{taken}");
        assert_eq!(clients.count(one).unwrap_err().status, 429);
        assert!(clients.count(ip("192.0.2.2")).is_ok());
        let here = ip("127.0.0.1");
        assert!((0..100).all(|_| clients.count(here).is_ok()));
    }

    #[test]
    fn executions_have_a_rate_of_their_own() {
        // Any number of requests, but not of these.
        let clients = clients(0, false);
        let (one, here) = (ip("192.0.2.1"), ip("::1"));
        assert!((0..1000).all(|_| clients.count(one).is_ok()));
        let taken = (0..100).filter(|_| clients.executes(one).is_ok()).count();
        assert!((20..30).contains(&taken), "{taken}");
        assert_eq!(clients.executes(one).unwrap_err().status, 429);
        assert!(clients.executes(ip("192.0.2.2")).is_ok());
        assert!((0..100).all(|_| clients.executes(here).is_ok()));
    }

    #[test]
    fn clients_are_forgotten() {
        let clients = clients(u32::MAX, false);
        for number in 0..=u32::try_from(CLIENTS_MAX).unwrap() {
            let address = IpAddr::from(number.saturating_add(1 << 30).to_be_bytes());
            clients.count(address).unwrap();
        }
        assert!(clients.requests.unwrap().0.len() <= CLIENTS_MAX);
    }
}
