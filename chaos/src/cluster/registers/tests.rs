use super::*;

fn write(value: u64, based_on: u64, began: Micros, ended: Micros, outcome: Outcome) -> Write {
    Write {
        register: 0,
        value,
        based_on,
        began,
        ended,
        outcome,
    }
}

fn judge(writes: Vec<Write>, reads: Vec<Seen>, last: u64) -> Verdict {
    let written = Written {
        writes,
        reads,
        answers: BTreeMap::new(),
    };
    check(&written, &[last])
}

#[test]
fn a_chain_with_refused_and_unknown_writes_is_clean() {
    let writes = vec![
        write(1, 0, 0, 10, Outcome::Acknowledged),
        write(2, 1, 11, 20, Outcome::Unknown),
        write(3, 1, 12, 20, Outcome::Refused),
        write(4, 2, 30, 40, Outcome::Acknowledged),
        write(5, 4, 41, 50, Outcome::Unknown),
    ];
    assert_eq!(judge(writes, vec![], 4), Verdict::default());
}

#[test]
fn a_planted_loss_and_a_lost_update_are_found() {
    let lost = vec![
        write(1, 0, 0, 10, Outcome::Acknowledged),
        write(2, 1, 11, 20, Outcome::Acknowledged),
    ];
    assert_eq!(judge(lost, vec![], 1).violations.len(), 1);
    let forked = vec![
        write(1, 0, 0, 10, Outcome::Acknowledged),
        write(2, 0, 1, 11, Outcome::Acknowledged),
    ];
    assert_eq!(judge(forked, vec![], 2).violations.len(), 1);
}

#[test]
fn a_refused_write_that_is_there_and_a_value_from_nowhere_are_found() {
    let refused = vec![write(1, 0, 0, 10, Outcome::Refused)];
    assert_eq!(judge(refused, vec![], 1).violations.len(), 1);
    assert_eq!(judge(vec![], vec![], 9).violations.len(), 1);
}

#[test]
fn a_write_that_takes_effect_before_an_older_one_is_found() {
    let writes = vec![
        write(2, 1, 0, 10, Outcome::Acknowledged),
        write(1, 0, 11, 20, Outcome::Acknowledged),
    ];
    assert_eq!(judge(writes, vec![], 2).violations.len(), 1);
}

#[test]
fn stale_reads_are_counted_and_reads_of_what_is_not_there_are_violations() {
    let writes = || {
        vec![
            write(1, 0, 0, 10, Outcome::Acknowledged),
            write(2, 1, 11, 20, Outcome::Acknowledged),
            write(3, 2, 21, 22, Outcome::Unknown),
        ]
    };
    let seen = |value, began| Seen {
        register: 0,
        value,
        began,
    };
    let verdict = judge(writes(), vec![seen(1, 15), seen(1, 25), seen(2, 30)], 2);
    assert_eq!((verdict.stale_reads, verdict.violations.len()), (1, 0));
    assert_eq!(judge(writes(), vec![seen(3, 30)], 2).violations.len(), 1);
}
