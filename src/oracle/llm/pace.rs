//! When the next request may start: the user's rate limit, pauses that the server asks for, and waits between retries.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The wait before the first retry; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Time between two looks at whether to stop waiting.
const LOOK: Duration = Duration::from_millis(50);

/// Decides when each request of a client may start.
pub struct Pace {
    interval: Duration,
    /// When the next request may start, by the user's limit and by the server's pause.
    next: Mutex<[Instant; 2]>,
}

impl Pace {
    /// At least `interval` from one start to the next.
    pub fn new(interval: Duration) -> Self {
        Self { interval, next: Mutex::new([Instant::now(); 2]) }
    }

    /// Waits until a request may start; false if `stop` was set first.
    pub fn turn(&self, stop: &AtomicBool) -> bool {
        let mine = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let mine = next[0].max(next[1]).max(Instant::now());
            next[0] = mine + self.interval;
            mine
        };
        // A pause that the server asked for since then holds for waiting requests too.
        let held = || self.next.lock().unwrap_or_else(PoisonError::into_inner)[1];
        sleep_until(mine, stop) && sleep_until(held(), stop)
    }

    /// Lets no request start for so long.
    pub fn hold(&self, pause: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next[1] = next[1].max(Instant::now() + pause);
    }
}

/// Waits until `then`; false if `stop` was set first.
pub fn sleep_until(then: Instant, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        match then.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => thread::sleep(left.min(LOOK)),
            _ => return true,
        }
    }
}

/// The wait after failure number `failures` (from 1). It doubles each time, and is drawn from the upper half, so that
/// requests that failed together are not repeated together.
pub fn backoff(failures: u32) -> Duration {
    let whole = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow(failures.saturating_sub(1).min(16)));
    // The standard library's only source of random numbers. Training does not depend on it.
    let draw = RandomState::new().hash_one(failures) as f64 / u64::MAX as f64;
    whole.mul_f64(0.5 + 0.5 * draw)
}

/// The wait in a `Retry-After` header: seconds, or a date (RFC 9110, section 10.2.3); `None` if it is neither.
pub fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = httpdate::parse_http_date(value).ok()?;
    Some(then.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_up_to_a_limit() {
        for (failures, most) in [(1, 500), (2, 1000), (3, 2000), (7, 30_000), (u32::MAX, 30_000)] {
            let waits: Vec<u128> = (0..50).map(|_| backoff(failures).as_millis()).collect();
            assert!(waits.iter().all(|ms| (most / 2..=most).contains(ms)), "{failures}: {waits:?}");
            assert!(waits.iter().any(|ms| *ms != waits[0]), "they differ");
        }
    }

    #[test]
    fn a_servers_wish_is_read() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO), "in the past");
        let future = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1000));
        assert!((900..=1000).contains(&retry_after(&future).unwrap().as_secs()));
        for odd in ["", "soon", "-1", "nan", "inf", "1e300"] {
            assert_eq!(retry_after(odd), None, "{odd}");
        }
    }

    #[test]
    fn turns_keep_their_distance_and_stop_when_told() {
        let (pace, go) = (Pace::new(Duration::from_millis(20)), AtomicBool::new(false));
        let begun = Instant::now();
        assert!((0..4).all(|_| pace.turn(&go)));
        assert!(begun.elapsed() >= Duration::from_millis(60), "three distances");
        pace.hold(Duration::from_secs(3600));
        go.store(true, Ordering::Relaxed);
        assert!(!pace.turn(&go));
    }
}
