//! Win proportions of trajectories, by their returns, on the device (Swamy et al. 2024, Algorithm 1).

use burn::tensor::Tensor;

use super::rollout::Rollout;
use crate::base::device::burn::{arange, to_host};
use crate::oracle::metered::DerivedCounts;
use crate::rollout::Windows;
use crate::scorer::self_play::Placement;

/// Opponents that all are compared with at once: bounds what a comparison takes of the device's memory.
pub(crate) const AT_ONCE: usize = 32;

/// What all pairs of a group give [`SelfPlay`](crate::scorer::self_play::SelfPlay) where the longer return wins: a score
/// a step `[N, T]`, and the comparisons that stand behind it.
///
/// Each trajectory meets all of its group, K² comparisons a window: sorting would take K log K, but Burn sorts on the
/// host where the device is a GPU.
pub(crate) fn win_proportions(
    rollout: &Rollout,
    windows: Windows,
    placement: Placement,
) -> (Tensor<2>, DerivedCounts) {
    let (count, steps) = rollout.dims();
    let (k, width) = (rollout.per_state, windows.width(steps));
    let (groups, windows) = (count / k, windows.count(steps));
    let cut = |t: Tensor<2>| -> Tensor<3> {
        let short = windows * width - steps;
        let filling = (short > 0).then(|| Tensor::zeros([count, short], &t.device()));
        Tensor::cat([t].into_iter().chain(filling).collect(), 1).reshape([count, windows, width])
    };
    let of_groups = |t: Tensor<3>| t.sum_dim(2).reshape([groups, k, windows]);
    let returns = of_groups(cut(rollout.rewards.clone()));
    // 1 where a step was made, `[N, W, width]`.
    let made = cut(rollout.alive.clone().unwrap_or_else(|| rollout.rewards.ones_like()));
    let lengths = of_groups(made.clone());
    let counted = counted(&lengths, width);

    let (wins, equals) = compare(&returns);
    // Each was compared with itself too, a tie.
    let proportions = if k == 1 { wins } else { wins.sub_scalar(0.5).div_scalar(k as f64 - 1.0) };
    let parts = counted.clone() / counted.clone().sum_dim(2);
    let shares = (proportions * parts).reshape([count, windows]);

    // Two windows after their trajectories' ends tie, and are no question.
    let empty = lengths.lower_elem(0.5).float().sum_dim(1);
    let unasked = (empty.clone() * empty.sub_scalar(1.0)).mul_scalar(0.5);
    let ties = equals.sub_scalar(1.0).sum_dim(1).mul_scalar(0.5) - unasked.clone();
    let all = counted.clone().mul_scalar((k * (k - 1)) as f64 / 2.0) - unasked * counted.clone();
    // Summed over windows in double precision: float32 counts to 16 million.
    let total = |t: Tensor<3>| -> u64 {
        let each = to_host((t * counted.clone()).sum_dim(0));
        each.into_iter().map(f64::from).sum::<f64>().round() as u64
    };
    let decided = DerivedCounts { asked: total(all), tied: total(ties) };
    let scores = pay(shares, made, placement).reshape([count, windows * width]).narrow(1, 0, steps);
    (scores, decided)
}

/// 1 for the windows that a group has, as many as its longest trajectory, `[groups, 1, W]`, from lengths `[groups, K, W]`.
fn counted(lengths: &Tensor<3>, width: usize) -> Tensor<3> {
    let windows = lengths.dims()[2];
    let starts = arange(windows, &lengths.device()).float();
    let starts: Tensor<3> = starts.mul_scalar(width as f64).reshape([1, 1, windows]);
    let longest = lengths.clone().sum_dim(2).max_dim(1);
    (longest - starts).greater_elem(0.0).float()
}

/// Wins, ties as halves, and ties of each against all of its group, itself included: `[groups, K, W]` both.
fn compare(returns: &Tensor<3>) -> (Tensor<3>, Tensor<3>) {
    let [groups, k, windows] = returns.dims();
    let (mut wins, mut equals) = (returns.zeros_like(), returns.zeros_like());
    for from in (0..k).step_by(AT_ONCE) {
        let to = (from + AT_ONCE).min(k);
        let all = [groups, k, to - from, windows];
        let own: Tensor<4> = returns.clone().unsqueeze_dim::<4>(2).expand(all);
        let theirs = returns.clone().slice([0..groups, from..to, 0..windows]);
        let theirs: Tensor<4> = theirs.unsqueeze_dim::<4>(1).expand(all);
        let over = |t: Tensor<4>| -> Tensor<3> { t.sum_dim(2).squeeze_dim(2) };
        let equal = over(own.clone().equal(theirs.clone()).float());
        wins = wins + over(own.greater(theirs).float()) + equal.clone().mul_scalar(0.5);
        equals = equals + equal;
    }
    (wins, equals)
}

/// Shares `[N, W]` of windows paid out over the steps made in them, `[N, W, width]`; what is earned after a trajectory's
/// end is its last step's.
fn pay(shares: Tensor<2>, made: Tensor<3>, placement: Placement) -> Tensor<3> {
    let [count, windows, width] = made.dims();
    let whole = made.clone().reshape([count, windows * width]);
    let last = last_steps(whole).reshape([count, windows, width]);
    let lengths = made.clone().sum_dim(2);
    let late =
        (shares.clone() * lengths.clone().lower_elem(0.5).float().reshape([count, windows])).sum_dim(1);
    let shares = shares.reshape([count, windows, 1]);
    let paid = match placement {
        Placement::Spread => made * (shares / lengths.clamp_min(1.0)),
        Placement::Last => {
            last_steps(made.reshape([count * windows, width])).reshape([count, windows, width]) * shares
        }
    };
    paid + last * late.reshape([count, 1, 1])
}

/// 1 at the last of the steps made in each row, `[rows, steps]`.
fn last_steps(made: Tensor<2>) -> Tensor<2> {
    let [rows, steps] = made.dims();
    let none = Tensor::zeros([rows, 1], &made.device());
    let next = Tensor::cat(vec![made.clone().slice([0..rows, 1..steps]), none], 1);
    made.clone() - made * next
}
