use super::*;
use crate::monitor::AUDIT_SHARE;
use crate::testing::Random;

const RUNS: usize = 1000;

/// At most a rate of [`RUNS`], within three standard errors of the simulation.
fn most(rate: f64) -> f64 {
    let runs = RUNS as f64;
    runs * rate + 3.0 * (runs * rate * (1.0 - rate)).sqrt()
}

/// What the profile expects of an input, as the bins of a remote that is better where this device is less sure.
fn expected(random: &mut Random) -> f64 {
    0.6 + 0.35 * random.uniform()
}

/// After how many of `audits` replies the alarm is raised, which are right with the chance that `accuracy` makes of what is
/// expected.
fn alarm(random: &mut Random, audits: usize, accuracy: impl Fn(f64) -> f64) -> Option<usize> {
    let mut monitor = RemoteMonitor::new(1, RemoteClaim::Profile);
    (1..=audits).find(|_| {
        let expected = expected(random);
        let right = random.uniform() < accuracy(expected);
        monitor.observe(expected, right, false);
        monitor.alarmed()
    })
}

#[test]
fn a_profile_that_is_right_on_the_whole_seldom_raises_the_alarm() {
    let mean = 0.775;
    let cases: [(&str, &dyn Fn(f64) -> f64); 2] = [
        ("every bin right", &|expected| expected),
        ("bins off, their mean right", &|expected| {
            mean - (expected - mean)
        }),
    ];
    for (seed, (name, accuracy)) in (1..).zip(cases) {
        let mut random = Random::new(seed);
        let found = (0..RUNS).filter(|_| alarm(&mut random, 1500, accuracy).is_some());
        let found = found.count();
        println!("{name}: {found} false alarms in {RUNS} runs of 1500 audits");
        assert!((found as f64) <= most(FALSE_ALARM_RATE), "{name}: {found}");
    }
}

#[test]
fn a_profile_that_is_wrong_either_way_raises_it() {
    for (seed, off, audits) in [(3, -0.2, 300), (4, -0.1, 1000), (5, 0.15, 300)] {
        let mut random = Random::new(seed);
        let found = (0..100).map(|_| alarm(&mut random, audits, |expected| expected + off));
        let mut found: Vec<usize> = found.flatten().collect();
        found.sort_unstable();
        println!(
            "off by {off}: found in {} of 100 runs of {audits} audits, half of them after {}",
            found.len(),
            found[found.len() / 2]
        );
        assert!(found.len() >= 95, "{} at {off}", found.len());
    }
}

/// A remote and the best local answers: how often only the one is right, and only the other.
#[derive(Clone, Copy)]
struct Beside {
    remote: f64,
    local: f64,
}

impl Beside {
    /// The remote is right more often by `more`.
    fn better_by(more: f64) -> Self {
        Beside {
            remote: 0.2 + more / 2.0,
            local: 0.2 - more / 2.0,
        }
    }

    fn observe(self, random: &mut Random, monitor: &mut RemoteMonitor, worth: f64) {
        let chance = random.uniform();
        let only_remote = chance < self.remote;
        let only_local = !only_remote && chance < self.remote + self.local;
        let both = random.uniform() < 0.6;
        let neither = !only_remote && !only_local;
        monitor.observe(
            worth,
            only_remote || neither && both,
            only_local || neither && both,
        );
    }
}

#[test]
fn a_remote_that_is_just_worth_asking_is_seldom_left_out_at_any_time() {
    for (seed, worth) in [(6, 0.0), (7, 0.1), (8, 0.3)] {
        let mut random = Random::new(seed);
        let ended = |random: &mut Random| {
            let mut monitor = RemoteMonitor::new(1, RemoteClaim::Worth);
            (0..1500).any(|_| {
                Beside::better_by(worth).observe(random, &mut monitor, worth);
                monitor.alarmed()
            })
        };
        let found = (0..RUNS).filter(|_| ended(&mut random)).count();
        println!("worth {worth}: left out in {found} of {RUNS} runs of 1500 audits");
        assert!((found as f64) <= most(UNWORTHY_DELTA), "{found} at {worth}");
    }
}

/// What comes of inputs that escalate, audited with the chance [`AUDIT_SHARE`] also while the remote is not asked: of how many
/// it is asked.
fn asked(random: &mut Random, monitor: &mut RemoteMonitor, remote: Beside, inputs: usize) -> usize {
    let asked = (0..inputs).filter(|_| {
        let drawn = random.uniform() < AUDIT_SHARE;
        let asked = drawn || !monitor.alarmed();
        if drawn {
            remote.observe(random, monitor, 0.0);
        }
        asked
    });
    asked.count()
}

#[test]
fn a_remote_that_is_worse_is_left_out_and_asked_again_once_it_is_better() {
    let runs = 100;
    let mut random = Random::new(9);
    let mut shares = [0.0; 3];
    let (mut left_out, mut back) = (0, 0);
    for _ in 0..runs {
        let mut monitor = RemoteMonitor::new(1, RemoteClaim::Worth);
        let (worse, better) = (Beside::better_by(-0.2), Beside::better_by(0.2));
        shares[0] += asked(&mut random, &mut monitor, worse, 3000) as f64 / 3000.0;
        left_out += usize::from(monitor.alarmed());
        // However long it was worse.
        shares[1] += asked(&mut random, &mut monitor, worse, 20_000) as f64 / 20_000.0;
        shares[2] += asked(&mut random, &mut monitor, better, 3000) as f64 / 3000.0;
        back += usize::from(!monitor.alarmed());
    }
    let [at_first, later, better] = shares.map(|share| share / f64::from(runs));
    println!(
        "left out after 3000 inputs in {left_out} of {runs} runs, asked again 3000 inputs after it became better in {back}; \
         asked of {at_first:.2} at first, of {later:.2} of 20000 more, of {better:.2} once it was better"
    );
    assert!(left_out >= 95 && back >= 95, "{left_out} {back}");
    assert!(later < 0.12 && better > 0.5, "{later} {better}");
}

#[test]
fn a_monitor_goes_on_from_its_numbers_and_from_no_others() {
    let mut random = Random::new(10);
    for claim in [RemoteClaim::Profile, RemoteClaim::Worth] {
        let mut monitor = RemoteMonitor::new((1 << 48) - 1, claim);
        for _ in 0..600 {
            Beside::better_by(-0.1).observe(&mut random, &mut monitor, 0.1);
        }
        let state = monitor.state();
        let resumed = RemoteMonitor::resumed(&state).unwrap();
        assert_eq!(
            (resumed.id(), resumed.claim(), resumed.status("t")),
            (monitor.id(), claim, monitor.status("t"))
        );
        for (from_end, wrong) in [(1, 2.0), (2, -1.0), (2, 0.5), (2, 1e16), (3, f64::NAN)] {
            let mut state = state.clone();
            let at = state.len() - from_end;
            state[at] = wrong;
            assert!(
                RemoteMonitor::resumed(&state).is_none(),
                "{from_end} {wrong}"
            );
        }
    }
    assert!(RemoteMonitor::resumed(&[]).is_none());
}
