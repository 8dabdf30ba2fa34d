use super::*;

fn key(n: u32) -> InstanceKey {
    InstanceKey::new(format!("db{n}"), 3306)
}

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn pace() -> Pace {
    Pace { poll: at(5.0), concurrency: 2, silent_concurrency: 1, silent_factor: 2.0, silent_max: at(60.0) }
}

fn all_due(schedule: &mut Schedule, now: Duration) -> Vec<InstanceKey> {
    std::iter::from_fn(|| schedule.take(now)).collect()
}

#[test]
fn servers_known_from_before_are_spread_over_the_first_period() {
    let mut schedule = Schedule::new(Pace { concurrency: usize::MAX, ..pace() });
    schedule.add_known((0..1000).map(key), Duration::ZERO);
    for tenth in 1..=10 {
        let begun = all_due(&mut schedule, at(0.5 * f64::from(tenth))).len();
        assert!((95..=105).contains(&begun), "{begun} in tenth {tenth}");
    }
}

#[test]
fn an_answer_brings_the_next_turn_at_the_same_place() {
    let mut schedule = Schedule::new(pace());
    schedule.add_known([key(1)], Duration::ZERO);
    let first = schedule.next_due().expect("planned");
    assert_eq!(schedule.take(first), Some(key(1)));
    assert_eq!(schedule.next_due(), None, "one probe of a server at a time");
    schedule.ended(&key(1), Ended::Answered, first + at(0.3));
    let second = schedule.next_due().expect("planned");
    assert!((second.as_secs_f64() - first.as_secs_f64() - 5.0).abs() < 1e-6);

    // Out of turn: the place stays.
    schedule.soon(&key(1), first + at(2.0));
    assert_eq!(schedule.take(first + at(2.0)), Some(key(1)));
    schedule.ended(&key(1), Ended::Answered, first + at(2.1));
    assert_eq!(schedule.next_due(), Some(second));
}

#[test]
fn a_silent_server_backs_off_up_to_the_bound_and_is_forgiven_at_once() {
    let mut schedule = Schedule::new(pace());
    schedule.add_known([key(1)], Duration::ZERO);
    let mut now = schedule.next_due().expect("planned");
    let mut waits = Vec::new();
    for _ in 0..6 {
        assert_eq!(schedule.take(now), Some(key(1)));
        schedule.ended(&key(1), Ended::Silent, now);
        let due = schedule.next_due().expect("planned");
        waits.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    assert_eq!(schedule.counts(now).silent, 1);
    let before = now.saturating_sub(at(1.0));
    assert_eq!(schedule.silence_of(&key(1), before), Some(Silence { looks: 6, again_in: at(1.0) }));
    assert_eq!(schedule.take(now), Some(key(1)));
    schedule.ended(&key(1), Ended::Answered, now);
    assert_eq!((schedule.silence_of(&key(1), now), schedule.silence_of(&key(2), now)), (None, None));
    assert!(schedule.next_due().expect("planned") <= now + at(6.25));
    assert_eq!(schedule.counts(now).silent, 0);
}

#[test]
fn lanes_do_not_take_each_others_room() {
    let mut schedule = Schedule::new(pace());
    schedule.add_known((0..3).map(key), Duration::ZERO);
    for silent in 10..13 {
        schedule.add_found(&key(silent), Duration::ZERO);
        assert_eq!(schedule.take(Duration::ZERO), Some(key(silent)));
        schedule.ended(&key(silent), Ended::Silent, Duration::ZERO);
    }
    let begun: Vec<_> = all_due(&mut schedule, at(100.0));
    assert_eq!(begun.iter().filter(|k| **k < key(10) || **k > key(12)).count(), 2, "two regular probes: {begun:?}");
    assert_eq!(begun.len(), 3, "and one of a silent server: {begun:?}");
    schedule.soon(&key(99), at(100.0));
    assert_eq!(schedule.take(at(100.0)), Some(key(99)), "urgent ones have room of their own");
    assert_eq!(schedule.counts(at(100.0)).running, 4);
}

#[test]
fn asked_for_while_it_runs_it_is_probed_again_afterwards() {
    let mut schedule = Schedule::new(pace());
    schedule.add_found(&key(1), Duration::ZERO);
    assert!(!schedule.add_found(&key(1), Duration::ZERO));
    assert_eq!(schedule.take(Duration::ZERO), Some(key(1)));
    schedule.soon(&key(1), at(0.1));
    assert_eq!(schedule.take(at(0.1)), None);
    schedule.ended(&key(1), Ended::Answered, at(0.2));
    assert_eq!(schedule.take(at(0.2)), Some(key(1)));
}

#[test]
fn a_name_that_leads_nowhere_is_given_up_and_a_known_server_never() {
    let mut schedule = Schedule::new(pace());
    schedule.add_found(&key(1), Duration::ZERO);
    schedule.add_known([key(2)], Duration::ZERO);
    let mut now = at(10.0);
    for _ in 0..STRANGER_TRIES {
        while let Some(taken) = schedule.take(now) {
            schedule.ended(&taken, Ended::Silent, now);
        }
        now += at(61.0);
    }
    assert!(!schedule.contains(&key(1)));
    assert!(schedule.contains(&key(2)));
}

#[test]
fn a_server_that_is_taken_out_leaves_room_behind() {
    let mut schedule = Schedule::new(pace());
    for n in 1..=3 {
        schedule.add_found(&key(n), Duration::ZERO);
    }
    assert_eq!(all_due(&mut schedule, Duration::ZERO).len(), 2);
    schedule.remove(&key(1));
    schedule.ended(&key(1), Ended::Answered, Duration::ZERO);
    assert_eq!(schedule.take(Duration::ZERO), Some(key(3)));
    assert!(!schedule.contains(&key(1)));
}

#[test]
fn a_stranger_that_keeps_us_out_is_asked_less_and_less() {
    let mut schedule = Schedule::new(pace());
    schedule.add_found(&key(1), Duration::ZERO);
    assert_eq!(schedule.take(Duration::ZERO), Some(key(1)));
    schedule.ended(&key(1), Ended::Answered, Duration::ZERO);
    assert_eq!(schedule.next_due(), Some(at(5.0)));
    assert_eq!(schedule.take(at(5.0)), Some(key(1)));
    schedule.ended(&key(1), Ended::Answered, at(5.0));
    assert_eq!(schedule.next_due(), Some(at(15.0)));
    // It let us in: from now on it is a server like the others.
    schedule.add_known([key(1)], at(15.0));
    assert_eq!(schedule.take(at(15.0)), Some(key(1)));
    schedule.ended(&key(1), Ended::Answered, at(15.0));
    assert!(schedule.next_due().expect("planned") <= at(21.25));
    assert_eq!(schedule.known_keys(), [key(1)]);
}

#[test]
fn a_look_that_takes_long_gives_up_its_room() {
    let mut schedule = Schedule::new(pace());
    schedule.add_known((0..4).map(key), Duration::ZERO);
    let now = at(5.0);
    assert_eq!(all_due(&mut schedule, now).len(), 2);
    assert_eq!(schedule.next_due(), Some(now + YIELD_AFTER), "no room before that");
    assert_eq!(all_due(&mut schedule, now + YIELD_AFTER).len(), 2);
    assert_eq!(schedule.counts(now).running, 4);
    for n in 0..4 {
        schedule.ended(&key(n), Ended::Silent, at(15.0));
    }
    assert_eq!(schedule.counts(at(15.0)).running, 0);
    assert_eq!(all_due(&mut schedule, at(20.0)).len(), 1, "the silent lane has room for one");
}

#[test]
fn lanes_tell_how_busy_they_are_and_how_late() {
    let mut schedule = Schedule::new(pace());
    for n in 1..=3 {
        schedule.add_found(&key(n), at(1.0));
    }
    let load = |schedule: &Schedule| schedule.lanes(at(1.2)).map(|l| (l.lane, l.running, l.waiting));
    assert_eq!(load(&schedule), [("urgent", 0, 3), ("regular", 0, 0), ("silent", 0, 0)]);
    assert_eq!(schedule.lanes(at(0.9))[0].waiting, 0, "not due yet");
    let begun = all_due(&mut schedule, at(1.2));
    assert_eq!((begun.len(), load(&schedule)[0]), (2, ("urgent", 2, 1)));
    assert_eq!(schedule.lateness(&begun[0], at(1.2)), Some(("urgent", at(1.2) - at(1.0))));
    assert_eq!(schedule.lateness(&key(9), at(1.2)), None);
    schedule.ended(&begun[0], Ended::Silent, at(1.3));
    assert_eq!(schedule.lanes(at(30.0)).map(|l| (l.running, l.waiting)), [(1, 1), (0, 0), (0, 1)]);
}
