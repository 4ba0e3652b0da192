//! The queue's decisions as tables, and how even they make the work of several hosts.

use super::*;
use crate::base::ids::HostId;
use crate::base::random::Random;

const BOUNDS: Bounds = Bounds {
    attempts_max: 5,
    child_max: Duration::from_secs(60),
    silent_max: Duration::from_secs(90),
};

#[test]
fn failures_are_retried_ever_later_and_then_given_up() {
    for (attempts, expected) in [
        (0, Next::RetryAfter(Duration::from_secs(2))),
        (1, Next::RetryAfter(Duration::from_secs(2))),
        (2, Next::RetryAfter(Duration::from_secs(4))),
        (4, Next::RetryAfter(Duration::from_secs(16))),
        (5, Next::GiveUp),
        (6, Next::GiveUp),
    ] {
        assert_eq!(after_failure(attempts, BOUNDS), expected, "{attempts}");
    }
    let patient = Bounds { attempts_max: 100, ..BOUNDS };
    assert_eq!(after_failure(99, patient), Next::RetryAfter(JOB_RETRY_MAX));
}

#[test]
fn a_job_is_taken_from_hosts_that_went_away_and_from_silent_ones() {
    let holder = Some(Holder { host: HostId::from_bytes([1; 16]), epoch: 7 });
    let (gone, silent) = (Verdict::Free(HOLDER_GONE), Verdict::Free(NO_PROGRESS));
    for (holder, host, idle_s, expected) in [
        (holder, Some((7, true)), 0, Verdict::Keep),
        (holder, Some((7, true)), 90, Verdict::Keep),
        (holder, Some((7, true)), 91, silent),
        // Declared dead, and back with another life.
        (holder, Some((8, false)), 0, gone),
        (holder, Some((8, true)), 0, gone),
        // A clean stop keeps the epoch.
        (holder, Some((7, false)), 0, gone),
        // What is said of the host is older than the claim.
        (holder, Some((6, false)), 0, Verdict::Keep),
        (holder, None, 0, gone),
        (None, None, 0, gone),
    ] {
        let verdict = judge(holder, host, true, Duration::from_secs(idle_s), BOUNDS);
        assert_eq!(verdict, expected, "{holder:?} {host:?} {idle_s}");
    }
}

#[test]
fn a_host_frees_what_it_holds_and_does_not_know_of() {
    let holder = Some(Holder { host: HostId::from_bytes([1; 16]), epoch: 7 });
    for (known, idle_s, expected) in [
        (true, 31, Verdict::Keep),
        // The answer to the claim may be under way.
        (false, 30, Verdict::Keep),
        (false, 31, Verdict::Free(FORGOTTEN)),
    ] {
        let verdict = judge(holder, Some((7, true)), known, Duration::from_secs(idle_s), BOUNDS);
        assert_eq!(verdict, expected, "{known} {idle_s}");
    }
}

#[test]
fn no_observer_is_quicker_than_the_holder_itself() {
    for kind in KeyKind::ALL {
        let Bounds { child_max, silent_max, .. } = bounds(Work::PrivateKey(kind));
        assert!(child_max < silent_max, "{kind}");
    }
}

#[test]
fn the_wait_grows_with_the_work_under_way_and_of_late() {
    let now = Mono::from_millis(1_000_000);
    let idle = Load::default();
    assert_eq!(idle.wait(now), Duration::ZERO);
    let mut busy = idle;
    busy.begin();
    assert_eq!(busy.wait(now), WAIT_PER_SLOT);
    let mut tired = busy;
    tired.end(now, Duration::from_secs(3));
    assert_eq!(tired.wait(now), WAIT_PER_DOUBLING * 2, "two doublings of one second");
    let later = now + HALF_LIFE;
    assert!(tired.wait(later) < tired.wait(now), "it is forgotten");
    let mut exhausted = idle;
    exhausted.end(now, Duration::from_secs(400));
    assert!(exhausted.wait(now) < Duration::from_millis(200), "nobody waits long for a host");
}

#[test]
fn a_host_on_which_nothing_succeeds_rests_ever_longer() {
    let mut load = Load::default();
    let rests: Vec<u64> = (0..8).map(|_| load.rest_after(true).as_secs()).collect();
    assert_eq!(rests, [2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(load.rest_after(false), Duration::ZERO);
    assert_eq!(load.rest_after(true), JOB_RETRY_MIN, "anew");
}

/// One host of the simulation, with one slot.
#[derive(Clone, Copy, Default)]
struct Host {
    load: Load,
    /// Its newest job: when it began and how long it takes.
    job: Option<(Mono, Duration)>,
    worked: Duration,
}

impl Host {
    fn free_at(&self) -> Mono {
        self.job.map_or(Mono::ZERO, |(began, takes)| began + takes)
    }

    /// When it would claim a job that is ready at `ready`; hints take up to 1.5 ms.
    fn claims_at(&mut self, ready: Mono, random: &Random) -> Mono {
        let micros = |most| Duration::from_micros(random.below(most));
        if self.free_at() <= ready {
            self.finish();
            return ready + micros(1500) + self.load.wait(ready) + micros(2000);
        }
        let free = self.free_at();
        let mut then = *self;
        then.finish();
        let wait = then.load.wait(free) + micros(2000);
        if free.since(ready) >= wait { free } else { free + wait }
    }

    fn finish(&mut self) {
        if let Some((began, takes)) = self.job.take() {
            self.load.end(began + takes, takes);
        }
    }

    fn work(&mut self, at: Mono, takes: Duration) {
        self.finish();
        self.load.begin();
        self.job = Some((at, takes));
        self.worked += takes;
    }
}

/// Busy time of the busiest host over that of the idlest, with jobs of 0.1 to 0.6 s that keep three
/// hosts busy for `percent` of the time.
fn unevenness(seed: u64, percent: u64) -> f64 {
    let random = Random::seeded(seed);
    let mut hosts = [Host::default(); 3];
    let mut now = Mono::from_millis(1000);
    for _ in 0..1500 {
        now = now + Duration::from_millis(random.below(2 * 350 * 100 / percent / 3));
        let takes = Duration::from_millis(100 + random.below(500));
        let claims: Vec<Mono> = hosts.iter_mut().map(|h| h.claims_at(now, &random)).collect();
        let first = (0..hosts.len()).min_by_key(|at| claims[*at]).expect("three hosts");
        hosts[first].work(claims[first], takes);
    }
    let worked = hosts.map(|host| host.worked.as_secs_f64());
    let most = worked.into_iter().fold(0.0, f64::max);
    most / worked.into_iter().fold(f64::MAX, f64::min)
}

#[test]
fn equal_hosts_work_about_equally_long() {
    for seed in 0..5 {
        for percent in [2, 10, 40, 80, 99] {
            let ratio = unevenness(seed, percent);
            assert!(ratio <= 1.15, "seed {seed}, {percent} % busy: {ratio:.3}");
        }
    }
}
