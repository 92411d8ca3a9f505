use super::*;

fn row(seq: u64, xact: u64, key: &str, n: u64) -> Effect {
    Effect {
        seq,
        xact,
        key: key.to_owned(),
        n,
    }
}

fn change(xact: u64, stream: &str, epoch: u64) -> Change {
    Change {
        xact,
        stream: stream.to_owned(),
        epoch,
    }
}

fn push(n: u64, attempts: u32, acknowledged: bool) -> Push {
    Push {
        key: 0,
        n,
        attempts,
        began: 0,
        acknowledged: acknowledged.then_some(1),
    }
}

#[test]
fn an_honest_takeover_is_clean() {
    let effects = Effects {
        rows: vec![
            row(1, 11, "k0", 1),
            row(2, 13, "k0", 3),
            row(3, 14, "k0", 2),
        ],
        changes: vec![
            change(10, "a", 5),
            change(11, "a", 5),
            // The new owner raises the old stream and begins its own; a drainer of the old one has a later epoch.
            change(12, "a", 6),
            change(12, "b", 6),
            change(13, "b", 6),
            change(14, "a", 7),
        ],
    };
    let pushes = [
        push(1, 1, true),
        push(2, 1, true),
        push(3, 1, true),
        push(4, 1, false),
    ];
    let verdict = effects.judge_pushed(&pushes, &HashSet::new());
    assert_eq!(
        verdict,
        Verdict {
            delivered: 3,
            ..Verdict::default()
        }
    );
}

#[test]
fn i5_a_planted_stale_effect_is_found() {
    let effects = Effects {
        rows: vec![row(1, 13, "k0", 1), row(2, 99, "k0", 2)],
        changes: vec![change(11, "a", 5), change(12, "a", 6), change(13, "a", 5)],
    };
    let verdict = effects.judge_pushed(&[push(1, 1, true), push(2, 1, true)], &HashSet::new());
    assert_eq!(
        verdict.stale, 2,
        "one under an old epoch, one without a token"
    );
}

#[test]
fn a_planted_loss_is_found_unless_it_is_a_dead_letter() {
    let pushes = [push(1, 1, true), push(2, 1, true), push(3, 2, false)];
    let dead = HashSet::from(["k0-2".to_owned()]);
    let verdict = Effects::default().judge_pushed(&pushes, &dead);
    assert_eq!(verdict.lost, ["k0-1"]);
}

#[test]
fn repeats_are_the_senders_up_to_the_number_of_its_requests() {
    let effects = Effects {
        rows: vec![
            row(1, 1, "k0", 1),
            row(2, 1, "k0", 1),
            row(3, 1, "k0", 2),
            row(4, 1, "k0", 2),
            row(5, 1, "k1", 7),
        ],
        changes: vec![change(1, "a", 1)],
    };
    let verdict = effects.judge_pushed(&[push(1, 2, true), push(2, 1, true)], &HashSet::new());
    assert_eq!(verdict.duplicated, 2);
    assert_eq!(verdict.unexplained, ["k0-2"]);
    assert_eq!(verdict.strangers, ["k1-7"]);
}

#[test]
fn a_planted_inversion_is_found_in_a_stream_and_not_across_two() {
    let rows = vec![row(1, 1, "k0", 2), row(2, 2, "k0", 1)];
    let pushes = [push(1, 1, true), push(2, 1, true)];
    let one = Effects {
        rows: rows.clone(),
        changes: vec![change(1, "a", 1), change(2, "a", 1)],
    };
    assert_eq!(
        one.judge_pushed(&pushes, &HashSet::new()).inversions,
        ["k0-1"]
    );
    let two = Effects {
        rows,
        changes: vec![change(1, "a", 1), change(2, "b", 1)],
    };
    assert!(
        two.judge_pushed(&pushes, &HashSet::new())
            .inversions
            .is_empty()
    );
}

#[test]
fn a_hole_and_a_repeat_of_what_was_generated_are_found() {
    let effects = Effects {
        rows: vec![row(1, 1, "", 0), row(2, 1, "", 2), row(3, 1, "", 2)],
        changes: vec![change(1, "a", 1)],
    };
    let verdict = effects.judge_generated(&HashSet::new());
    assert_eq!((verdict.lost.len(), verdict.unexplained.len()), (1, 1));
}
