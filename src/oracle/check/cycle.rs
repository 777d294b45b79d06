//! Cycles of a relation, given as rows of who beats whom.

use std::collections::VecDeque;

/// Trios in which each beats one of the others: a > b > c > a.
pub fn trios(beats: &[Vec<bool>]) -> usize {
    let n = beats.len();
    let circle = |a: usize, b: usize, c: usize| beats[a][b] && beats[b][c] && beats[c][a];
    (0..n)
        .flat_map(|a| (a + 1..n).flat_map(move |b| (b + 1..n).map(move |c| (a, b, c))))
        .filter(|&(a, b, c)| circle(a, b, c) || circle(c, b, a))
        .count()
}

/// Kendall's coefficient of consistence of n alternatives with `cyclic` cyclic trios: 1 − cyclic / most, of which there
/// are at most (n³ − n) / 24 where n is odd and (n³ − 4n) / 24 where it is even (Kendall & Babington Smith 1940). Ties are
/// no part of a cycle. `None` below three.
pub fn consistence(n: usize, cyclic: usize) -> Option<f64> {
    let most = (n * n * n - if n.is_multiple_of(2) { 4 * n } else { n }) / 24;
    (n >= 3).then(|| 1.0 - cyclic as f64 / most as f64)
}

/// A shortest cycle, each beating the next and the last the first.
pub fn shortest(beats: &[Vec<bool>]) -> Option<Vec<usize>> {
    (0..beats.len()).filter_map(|start| through(beats, start)).min_by_key(Vec::len)
}

/// A shortest cycle through `start`, by breadth-first search.
fn through(beats: &[Vec<bool>], start: usize) -> Option<Vec<usize>> {
    let mut before = vec![None; beats.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        if beats[at][start] {
            let mut cycle = vec![at];
            while let Some(previous) = before[cycle[cycle.len() - 1]] {
                cycle.push(previous);
            }
            cycle.reverse();
            return Some(cycle);
        }
        for next in 0..beats.len() {
            if beats[at][next] && next != start && before[next].is_none() {
                before[next] = Some(at);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(n: usize, wins: &[(usize, usize)]) -> Vec<Vec<bool>> {
        (0..n).map(|i| (0..n).map(|j| wins.contains(&(i, j))).collect()).collect()
    }

    #[test]
    fn cycles_by_hand() {
        let order = relation(4, &[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
        assert_eq!((trios(&order), shortest(&order)), (0, None));
        // 3 loses to all and beats 0 instead: 0 > 1 > 3 > 0 and 0 > 2 > 3 > 0.
        let upset = relation(4, &[(0, 1), (0, 2), (3, 0), (1, 2), (1, 3), (2, 3)]);
        assert_eq!((trios(&upset), shortest(&upset)), (2, Some(vec![0, 1, 3])));
        // Three: one trio, and it may be cyclic. Four: at most two are; five: at most five; six: at most eight.
        assert_eq!(
            [consistence(3, 1), consistence(4, 2), consistence(5, 5), consistence(6, 8)],
            [Some(0.0); 4]
        );
        assert_eq!(
            [consistence(4, 0), consistence(4, 1), consistence(5, 1)],
            [Some(1.0), Some(0.5), Some(0.8)]
        );
        assert_eq!(consistence(2, 0), None);
        // The only cycle has four members: the rest tie.
        let ring = relation(5, &[(1, 2), (2, 3), (3, 4), (4, 1), (0, 1)]);
        assert_eq!((trios(&ring), shortest(&ring)), (0, Some(vec![1, 2, 3, 4])));
    }
}
