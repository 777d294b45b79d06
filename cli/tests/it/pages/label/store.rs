//! The database: who gets a pair, what is kept of an answer, tables out and in.

use std::fs;
use std::path::Path;

use spo::oracle::Answer;
use spo::oracle::human::answers::{Annotator, Choice, Left, Refusal};
use spo::oracle::human::{LabelError, Store, table};

use super::annotator::shown;
use super::{count, database, store};

fn who(name: &str) -> Annotator {
    Annotator::new(name).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, LabelError>) -> Refusal {
    match result {
        Err(LabelError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pair_is_one_annotators_until_it_is_answered_or_its_lease_runs_out() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, ids) = store(home.path(), 2, 1);
    let (ana, ben) = (who("Ana"), who(" Ben "));
    let first = store.next(&ana).unwrap().unwrap();
    assert_eq!(store.next(&ana).unwrap().unwrap(), first, "the page was loaded again");
    let second = store.next(&ben).unwrap().unwrap();
    assert_eq!([first.pair, second.pair], ids[..]);
    assert_eq!(store.next(&who("Cy")).unwrap(), None, "both are taken");

    database(home.path()).execute("UPDATE leases SET until = 0 WHERE annotator = 'Ana'", []).unwrap();
    let third = store.next(&who("Cy")).unwrap().unwrap();
    assert_eq!(third.pair, first.pair);
    store.answer(&who("Cy"), third.pair, Choice::Tie).unwrap();
    // Ana was only slow: her answer is saved too.
    store.answer(&ana, first.pair, Choice::Left).unwrap();
    store.answer(&ana, first.pair, Choice::Left).unwrap();
    assert_eq!(refusal(store.answer(&ana, first.pair, Choice::Right)), Refusal::Answered);
    assert_eq!(refusal(store.answer(&ana, second.pair, Choice::Right)), Refusal::NotShown);
    assert_eq!(refusal(store.answer(&ana, 99, Choice::Right)), Refusal::NotShown);
    assert_eq!(count(home.path(), "SELECT count(*) FROM labels"), 2);

    // The mean of a tie and of Ana's left.
    let left = f32::from(u8::from(first.left == Left::A));
    store.answer(&ben, second.pair, Choice::CantTell).unwrap();
    let settled = store.settle(&ids).unwrap();
    assert_eq!(settled, [Answer::Prefer((0.5 + left) / 2.0), Answer::Abstain]);
    assert_eq!(store.settle(&ids).unwrap(), settled, "once and for all");
    assert_eq!(store.next(&ana).unwrap(), None);
}

#[test]
fn an_answer_is_taken_back_until_training_has_used_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, ids) = store(home.path(), 2, 1);
    let ana = who("Ana");
    assert_eq!(refusal(store.undo(&ana)), Refusal::Nothing);
    let first = store.next(&ana).unwrap().unwrap();
    store.answer(&ana, first.pair, Choice::Left).unwrap();
    let second = store.next(&ana).unwrap().unwrap();
    assert_ne!(second.pair, first.pair);
    assert_eq!(store.undo(&ana).unwrap(), first);
    assert_eq!(store.next(&ana).unwrap().unwrap(), first, "on the same sides");
    store.answer(&ana, first.pair, Choice::Right).unwrap();
    store.settle(&ids).unwrap();
    assert_eq!(refusal(store.undo(&ana)), Refusal::Used);
    assert_eq!(count(home.path(), "SELECT count(*) FROM labels"), 1);
}

#[test]
fn several_annotators_share_the_pairs_and_their_agreement_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = store(home.path(), 40, 3);
    // Ana and Ben always answer a; Cy answers b, and "can't tell" for every fourth pair.
    for name in ["Ana", "Ben", "Cy"] {
        let who = who(name);
        let mut told = 0;
        while let Some(shown) = store.next(&who).unwrap() {
            let a_is_left = shown.left == Left::A;
            let choice = match (told % 4 == 3 && name == "Cy", a_is_left == (name != "Cy")) {
                (true, _) => Choice::CantTell,
                (_, true) => Choice::Left,
                (_, false) => Choice::Right,
            };
            store.answer(&who, shown.pair, choice).unwrap();
            told += 1;
        }
        assert_eq!(told, 40);
    }
    let progress = store.progress(Some(&who("Ben"))).unwrap();
    assert_eq!((progress.mine, progress.round_done, progress.round_pairs), (40, 40, 40));
    assert_eq!((progress.asked, progress.left), (40, Some(60)));
    // 30 pairs of three answers, 3 comparisons each, 1 alike; 10 of two, alike.
    let agreement = progress.agreement.unwrap();
    assert_eq!((agreement.compared, agreement.same), (30 * 3 + 10, 30 + 10));
    // Sides are random: more than 84 equal ones of 120 have a probability of 1 in 100,000.
    let left = count(home.path(), "SELECT sum(left = 'a') FROM labels");
    assert!((36..=84).contains(&left), "{left} of 120");
    assert_eq!(progress.annotators.len(), 3);
}

#[test]
fn a_trajectory_keeps_its_sides_for_the_annotator_who_sees_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = store(home.path(), 1, 1);
    let ana = who("Ana");
    let seen = store.next(&ana).unwrap().unwrap();
    assert_eq!(shown(home.path(), seen.pair, "Ana"), seen);
    let [left, right] = store.replay_keys(&seen).unwrap();
    let a_first = seen.left == Left::A;
    assert_eq!([left.id(), right.id()], if a_first { [seen.a, seen.b] } else { [seen.b, seen.a] });
}

#[test]
fn labels_go_out_and_come_in_and_a_wrong_line_takes_none() {
    let home = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| home.path().join(name));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    let (mut store_from, _) = store(&from, 4, 1);
    for (name, choice) in ["Ana", "Zoë O'Neil", "3rd", "Ana"].into_iter().zip(Choice::ALL) {
        let pair = store_from.next(&who(name)).unwrap().unwrap().pair;
        store_from.answer(&who(name), pair, choice).unwrap();
    }
    let file = home.path().join("labels.csv");
    assert_eq!(store_from.export(&file).unwrap(), 4);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(
        "run,trajectory_a,trajectory_b,annotator,left,answer,prefers,shown_at,answered_at,used\n"
    ));

    let (mut store_to, ids) = store(&to, 4, 1);
    let labels = table::read(&file).unwrap();
    let done = store_to.import(&labels).unwrap();
    assert_eq!((done.new, done.known), (4, 0));
    let done = store_to.import(&labels).unwrap();
    assert_eq!((done.new, done.known), (0, 4), "none is counted twice");
    assert_eq!(store_to.next(&who("Ben")).unwrap(), None, "all pairs are answered");
    assert_eq!(store_to.settle(&ids).unwrap().len(), 4);
    let copy = home.path().join("copy.csv");
    store_to.export(&copy).unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap().replace(",1\n", ",0\n"), text);

    let line = text.lines().nth(1).unwrap();
    let fields: Vec<&str> = line.split(',').collect();
    let with = |at: usize, value: &str| {
        let mut fields = fields.clone();
        fields[at] = value;
        fields.join(",")
    };
    for (bad, expected) in [
        (with(1, "zz"), "`trajectory_a` is `zz`"),
        (with(1, "+00000000000000f"), "16 hexadecimal digits"),
        (with(3, "=cmd"), "`annotator`"),
        (with(4, "c"), "`left` is `c`"),
        (with(5, "maybe"), "expected left, right, tie or cant_tell"),
        (with(6, "tie"), "`prefers` is `tie`"),
        (with(7, "yesterday"), "`shown_at` is `yesterday`"),
        (with(8, "2026-13-01T00:00:00.000Z"), "`answered_at`"),
        (with(9, "many"), "line 6"),
        ("one,two".into(), "line 6"),
    ] {
        fs::write(&file, format!("{text}{bad}\n")).unwrap();
        let message = table::read(&file).unwrap_err().to_string();
        assert!(
            message.contains(expected) && message.contains("no label of the file was imported"),
            "{bad}: {message}"
        );
        assert!(message.contains("line 6"), "{message}");
    }
    assert_eq!(count(&to, "SELECT count(*) FROM labels"), 4);
}

#[test]
fn a_damaged_or_foreign_database_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let path = dir.join("labels.sqlite");
    let message = |dir: &Path| Store::open(dir).err().unwrap().to_string();
    assert!(message(dir).contains("--oracle human"));
    fs::write(
        &path,
        "a letter to the editor, longer than the header of a database, which has a hundred bytes, no less",
    )
    .unwrap();
    assert!(message(dir).contains("not a database"), "{}", message(dir));
    fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute("CREATE TABLE cake (x)", []).unwrap();
    assert!(message(dir).contains("is not a database of labels"));
    fs::remove_file(&path).unwrap();
    drop(store(dir, 1, 1));
    database(dir).pragma_update(None, "user_version", 7).unwrap();
    assert!(message(dir).contains("is of version 7"));
    database(dir).pragma_update(None, "user_version", 1).unwrap();
    database(dir).execute("UPDATE trajectories SET actions = x'00'", []).unwrap();
    let mut store = Store::open(dir).unwrap();
    let shown = store.next(&who("Ana")).unwrap().unwrap();
    assert!(store.replay_keys(&shown).unwrap_err().to_string().contains("damaged or missing"));
}
