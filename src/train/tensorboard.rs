//! Event files for TensorBoard, with the same numbers as `metrics.csv`.
//!
//! A file is a sequence of TensorFlow's TFRecords: a length, the checksum of the length, an `Event` as protobuf, and the
//! checksum of the event. A resumed run starts a new file. The first event of that file tells TensorBoard to ignore what earlier
//! files contain about later steps. This is written by hand because the two crates that write such files, `tensorboard-rs`
//! and `tfrecord`, depend on releases of `protobuf` and `image` that are years old.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::tensors::FileError;
use crate::train::config::{Config, LearnerKind, ScorerKind};
use crate::train::{Record, Summary, Timing};

/// The start of the name of an event file; the seconds since 1970 follow.
const NAME: &str = "events.out.tfevents.";
/// The version of the format in which a start event discards later steps of earlier files.
const VERSION: &[u8] = b"brain.Event:2";
/// `SessionLog.SessionStatus.START`.
const START: u64 = 1;

/// An event file that is being written.
pub struct Events {
    file: File,
    path: PathBuf,
}

impl Events {
    /// Whether `dir` has event files.
    pub fn are_in(dir: &Path) -> bool {
        newest_in(dir).is_some()
    }

    /// Starts a file in `dir`; its first event discards the steps after `kept` of earlier files.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn begin(dir: &Path, kept: u64) -> Result<Self, FileError> {
        // TensorBoard reads the files in the order of their names. The new name must come last even if the clock went back.
        let seconds = (now() as u64).max(newest_in(dir).map_or(0, |newest| newest.saturating_add(1)));
        let path = dir.join(format!("{NAME}{seconds:010}.spo.{}", std::process::id()));
        let file =
            File::create_new(&path).map_err(|source| FileError::Write { path: path.clone(), source })?;
        let mut events = Self { file, path };
        let version = event(now(), None, |e| bytes(e, 3, VERSION));
        let start = event(now(), Some(kept + 1), |e| bytes(e, 7, &message(|log| varint(log, 1, START))));
        events.write(&[version, start].concat())?;
        Ok(events)
    }

    /// Writes named numbers at an environment step; `at` is in seconds since 1970.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn scalars(&mut self, at: f64, step: u64, values: &[(&str, f64)]) -> Result<(), FileError> {
        self.write(&scalars(at, step, values))
    }

    /// Writes in one system call, so that a reader sees whole records unless the disk is full.
    fn write(&mut self, records: &[u8]) -> Result<(), FileError> {
        self.file.write_all(records).map_err(|source| FileError::Write { path: self.path.clone(), source })
    }
}

/// The newest of a folder's event files, in the seconds of its name.
fn newest_in(dir: &Path) -> Option<u64> {
    let seconds = |name: &str| name.strip_prefix(NAME)?.split('.').next()?.parse().ok();
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.file_name());
    names.filter_map(|name| seconds(name.to_str()?)).max()
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// A row of the metrics under the names that TensorBoard shows. Numbers that a run does not have are left out.
pub fn named(config: &Config, r: &Record, t: &Timing) -> Vec<(&'static str, f64)> {
    let (ppo, sac) = (config.learner == LearnerKind::Ppo, config.learner == LearnerKind::Sac);
    let played = config.scorer == ScorerKind::SelfPlay;
    let asked = config.scorer != ScorerKind::TaskReward;
    let safe = config.safety.trains();
    let some = |is: bool, value: f64| is.then_some(value);
    let all = [
        ("rollout/return_mean", Some(r.return_mean)),
        ("rollout/return_std", Some(r.return_std)),
        ("rollout/length_mean", Some(r.length_mean)),
        ("rollout/win_rate_mean", some(played, r.score_mean)),
        ("rollout/win_rate_spread", some(played, r.score_spread)),
        ("rollout/score_mean", some(!played, r.score_mean)),
        ("rollout/score_spread", some(!played, r.score_spread)),
        ("oracle/queries", some(asked, r.queries as f64)),
        ("oracle/answered", some(asked, r.answered as f64)),
        ("oracle/tied", some(asked, r.tied as f64)),
        ("oracle/abstained", some(asked, r.abstained as f64)),
        ("train/policy_loss", Some(r.policy_loss.into())),
        ("train/value_loss", some(ppo || sac, r.value_loss.into())),
        ("train/entropy", Some(r.entropy.into())),
        ("train/kl", some(!sac, r.approx_kl.into())),
        ("train/clip_fraction", some(ppo, r.clip_fraction.into())),
        ("train/grad_norm", Some(r.grad_norm.into())),
        ("train/epochs", Some(r.epochs.into())),
        ("train/temperature", Some(r.temperature.into())),
        ("reward_model/loss", r.reward_loss.map(f64::from)),
        ("reward_model/accuracy", r.reward_accuracy.map(f64::from)),
        ("reward_model/calibration", r.reward_calibration.map(f64::from)),
        ("reward_model/train_score", r.reward_train_score.map(f64::from)),
        ("reward_model/test_score", r.reward_test_score.map(f64::from)),
        ("safety/cost_mean", some(safe || r.cost_mean != 0.0, r.cost_mean)),
        ("safety/unsafe_share", r.unsafe_share),
        ("safety/multiplier", r.multiplier),
        ("safety/queries", some(safe, r.safety_queries as f64)),
        ("safety/verdicts", some(safe, r.safety_verdicts as f64)),
        ("cost_model/loss", r.cost_loss.map(f64::from)),
        ("time/seconds", Some(t.seconds)),
        ("time/steps_per_second", Some(r.env_steps as f64 / t.seconds.max(1e-9))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The evaluation of the trained result under the names that TensorBoard shows.
pub fn named_at_the_end(s: &Summary) -> Vec<(&'static str, f64)> {
    let all = [
        ("eval/return_mean", Some(s.eval_return_mean)),
        ("eval/return_ci95", Some(s.eval_return_ci95)),
        ("eval/cost_mean", s.eval_cost_mean),
        ("eval/cost_ci95", s.eval_cost_ci95),
        ("eval/unsafe_share", s.eval_unsafe_share),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn scalars(at: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let summary = message(|summary| {
        for &(name, number) in values {
            let value = message(|value| {
                bytes(value, 1, name.as_bytes());
                key(value, 2, Wire::Four);
                value.extend((number as f32).to_le_bytes());
            });
            bytes(summary, 1, &value);
        }
    });
    event(at, Some(step), |e| bytes(e, 5, &summary))
}

/// An `Event` as a record.
fn event(at: f64, step: Option<u64>, what: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    record(&message(|e| {
        key(e, 1, Wire::Eight);
        e.extend(at.to_le_bytes());
        if let Some(step) = step {
            varint(e, 2, step);
        }
        what(e);
    }))
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length), data, &checksum(data)].concat()
}

/// CRC-32C, rotated and shifted as in TFRecord.
fn checksum(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Wire types of protobuf.
enum Wire {
    Varint = 0,
    Eight = 1,
    Bytes = 2,
    Four = 5,
}

fn message(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    fill(&mut out);
    out
}

fn key(out: &mut Vec<u8>, field: u64, wire: Wire) {
    number(out, field << 3 | wire as u64);
}

fn varint(out: &mut Vec<u8>, field: u64, value: u64) {
    key(out, field, Wire::Varint);
    number(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, Wire::Bytes);
    number(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A number as a varint: seven bits per byte, the lowest first.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    // What TensorBoard 2.21.0 writes itself:
    //   pip install tensorboard==2.21.0 && python3 -c '
    //   import io; from tensorboard.compat.proto import event_pb2 as e, summary_pb2 as s
    //   from tensorboard.summary.writer.record_writer import RecordWriter
    //   value = s.Summary.Value
    //   for event in [
    //       e.Event(wall_time=1.5, file_version="brain.Event:2"),
    //       e.Event(wall_time=1.5, step=641, session_log=e.SessionLog(status=e.SessionLog.START)),
    //       e.Event(wall_time=2.25, step=6400, summary=s.Summary(value=[
    //           value(tag="rollout/return_mean", simple_value=-158.5), value(tag="train/kl", simple_value=0.0)])),
    //       e.Event(wall_time=2.25, step=1 << 40, summary=s.Summary(value=[
    //           value(tag="x" * 120, simple_value=float("nan"))])),
    //   ]: f = io.BytesIO(); RecordWriter(f).write(event.SerializeToString()); print(f.getvalue().hex())'
    #[test]
    fn records_are_tensorboards_own_bytes() {
        assert_eq!(
            hex(&event(1.5, None, |e| bytes(e, 3, VERSION))),
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"
        );
        assert_eq!(
            hex(&event(1.5, Some(641), |e| bytes(e, 7, &message(|log| varint(log, 1, START))))),
            "100000000000000095fbfe1809000000000000f83f1081053a020801f35a0801"
        );
        assert_eq!(
            hex(&scalars(2.25, 6400, &[("rollout/return_mean", -158.5), ("train/kl", 0.0)])),
            "3b000000000000001a23ac5c0900000000000002401080322a2d0a1a0a13726f6c6c6f75742f72657475726e5f6d65616e\
             1500801ec30a0f0a08747261696e2f6b6c150000000045261b6f"
        );
        let long = "x".repeat(120);
        assert_eq!(
            hex(&scalars(2.25, 1 << 40, &[(&long, f64::NAN)])),
            format!(
                "94000000000000005d25f100090000000000000240108080808080202a81010a7f0a78{}150000c07fcf81d963",
                "78".repeat(120)
            )
        );
    }

    #[test]
    fn each_file_comes_after_the_one_before_it() {
        let home = tempfile::tempdir().unwrap();
        assert!(!Events::are_in(home.path()));
        // A file from a clock that was ahead.
        fs::write(home.path().join(format!("{NAME}9000000000.elsewhere.1.0")), "").unwrap();
        for kept in [0, 640, 640] {
            Events::begin(home.path(), kept).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        let seconds: Vec<_> =
            names.iter().map(|n| n.to_str().unwrap()[NAME.len()..][..10].to_owned()).collect();
        assert_eq!(seconds, ["9000000000", "9000000001", "9000000002", "9000000003"]);
    }
}
