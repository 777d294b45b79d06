//! From a model's reply to the probabilities of the answers.

use super::api::{Said, Token};

/// Words that may come before an answer: "The preferred trajectory is 2".
const LEADING: [&str; 9] =
    ["the", "answer", "final", "preferred", "trajectory", "better", "score", "rating", "is"];
/// Other characters that may be around an answer. A minus, a slash or a per cent sign would make it another number.
const AROUND: &str = "*_\"'`.:,;=()[]{}#!\u{2581}\u{120}";
/// The end of some models' thoughts.
const THOUGHT: &str = "</think>";

/// The index of the answer in `answers`, if the text gives one answer and nothing else.
pub fn stated(text: &str, answers: &[&str]) -> Option<usize> {
    let text = spoken(text);
    if text.chars().any(|c| !(c.is_alphanumeric() || c.is_whitespace() || AROUND.contains(c))) {
        return None;
    }
    // A point inside a number would make it another number.
    let mut words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let last = words.pop()?;
    let leads = |word: &&str| LEADING.contains(&word.to_ascii_lowercase().as_str());
    answers.iter().position(|answer| *answer == last).filter(|_| words.iter().all(leads))
}

/// The text after the thoughts.
fn spoken(text: &str) -> &str {
    text.rfind(THOUGHT).map_or(text, |at| &text[at + THOUGHT.len()..])
}

/// Probabilities of `answers`, which sum to 1: from the log-probabilities at the answer's token, or else 1 for the answer
/// in the text. The flag says whether they are from log-probabilities. `None` if the text is not an answer.
pub fn probabilities(said: &Said, answers: &[&str]) -> Option<(Vec<f64>, bool)> {
    let stated = stated(&said.text, answers)?;
    if let Some(masses) = masses(&said.tokens, answers[stated], answers) {
        let total: f64 = masses.iter().sum();
        if total > 0.0 {
            return Some((masses.iter().map(|mass| mass / total).collect(), true));
        }
    }
    Some(((0..answers.len()).map(|at| f64::from(u8::from(at == stated))).collect(), false))
}

/// Probabilities of the answers' tokens at the position of the answer `stated`.
fn masses(tokens: &[Token], stated: &str, answers: &[&str]) -> Option<Vec<f64>> {
    let all: String = tokens.iter().map(|t| t.text.as_str()).collect();
    let from = all.len() - spoken(&all).len();
    let mut end = 0;
    let after: Vec<&Token> = (tokens.iter())
        .filter(|t| {
            end += t.text.len();
            end > from
        })
        .collect();
    let mass = |token: &Token, answer: &str| -> f64 {
        token.top.iter().filter(|(text, _)| bare(text) == answer).map(|(_, p)| p.exp()).sum()
    };
    let follows = |at: usize| after.get(at + 1).copied();
    let at = (0..after.len()).find(|&at| {
        let digits = || {
            stated == "10"
                && bare(&after[at].text) == "1"
                && follows(at).is_some_and(|t| bare(&t.text) == "0")
        };
        bare(&after[at].text) == stated || digits()
    })?;
    let here = after[at];
    if !answers.contains(&"10") || mass(here, "10") > 0.0 {
        return Some(answers.iter().map(|answer| mass(here, answer)).collect());
    }
    // With single-digit tokens, "1" is the start of 1 and 10. If it was chosen, the next token tells which. If not, it
    // counts for the one that is nearer to the chosen answer.
    let ten = match stated {
        "1" | "10" => follows(at).map_or(0.0, |next| mass(next, "0").min(1.0)),
        lower if answers.iter().take(5).any(|answer| *answer == lower) => 0.0,
        _ => 1.0,
    };
    let first = mass(here, "1");
    let probability = |answer: &&str| match *answer {
        "1" => first * (1.0 - ten),
        "10" => first * ten,
        other => mass(here, other),
    };
    Some(answers.iter().map(probability).collect())
}

/// A token without the characters that may be around an answer.
fn bare(token: &str) -> &str {
    token.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(c))
}

/// The expected score of ten probabilities, rescaled from [1, 10] to [−1, 1] (d-RLAIF: Lee et al. 2023).
pub fn rescaled(probabilities: &[f64]) -> f64 {
    let expected: f64 = (1..).zip(probabilities).map(|(score, p)| f64::from(score) * p).sum();
    ((expected - 5.5) / 4.5).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::prompt::{CHOICES, SCORES};
    use super::*;

    fn token(text: &str, top: &[(&str, f64)]) -> Token {
        Token { text: text.into(), top: top.iter().map(|(t, p)| (t.to_string(), p.ln())).collect() }
    }

    fn said(tokens: &[Token]) -> Said {
        let text = tokens.iter().map(|t| t.text.as_str()).collect();
        Said { text, tokens: tokens.to_vec(), ..Said::default() }
    }

    #[track_caller]
    fn close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?}");
    }

    #[test]
    fn answers_are_told_from_talk() {
        let choice = |text: &str| stated(text, &CHOICES);
        for one in ["1", " 1\n", "**1**", "1.", "(1)", "Trajectory 1", "The better trajectory is 1.", "\"1\""]
        {
            assert_eq!(choice(one), Some(0), "{one}");
        }
        assert_eq!(choice("Preferred trajectory=2"), Some(1));
        assert_eq!(choice("<think>1 or 2? 1.</think>\n2"), Some(1));
        for none in [
            "",
            "I cannot judge that.",
            "1 or 2",
            "12",
            "-1",
            "1/2",
            "1.5",
            "1%",
            "3",
            "0",
            "not 1",
            "1 is worse",
            "½",
            "１",
            "Trajectory one",
            "<think>1",
        ] {
            assert_eq!(choice(none), None, "{none}");
        }
        assert_eq!(stated("Score: 10", &SCORES), Some(9));
        assert_eq!(stated("8/10", &SCORES), None);
    }

    #[test]
    fn soft_labels_by_hand() {
        // 0.6 / (0.6 + 0.2) = 0.75, whatever else was likely.
        let reply = said(&[token("1", &[("1", 0.6), ("2", 0.2), ("The", 0.1)])]);
        let (p, soft) = probabilities(&reply, &CHOICES).unwrap();
        close(&p, &[0.75, 0.25]);
        assert!(soft);
        // Tokens that say the same are added: 0.3 + 0.1 against 0.5 + 0.1.
        let reply = said(&[token(" 2", &[(" 2", 0.5), ("2", 0.1), ("1", 0.3), ("\u{120}1", 0.1)])]);
        close(&probabilities(&reply, &CHOICES).unwrap().0, &[0.4, 0.6]);
        // The token of the answer counts and not the first.
        let reply = said(&[token("**", &[("**", 0.9), ("1", 0.1)]), token("2", &[("2", 0.9), ("1", 0.1)])]);
        close(&probabilities(&reply, &CHOICES).unwrap().0, &[0.1, 0.9]);
        // One that is not among the likeliest has none.
        let reply = said(&[token("2", &[("2", 0.9)])]);
        close(&probabilities(&reply, &CHOICES).unwrap().0, &[0.0, 1.0]);
        // Numbers in the thoughts are no answer.
        let thoughts = ["<think>", "2", "</think>"].map(|t| token(t, &[(t, 1.0)]));
        let reply = said(&[&thoughts[..], &[token("1", &[("1", 0.8), ("2", 0.2)])]].concat());
        close(&probabilities(&reply, &CHOICES).unwrap().0, &[0.8, 0.2]);
    }

    #[test]
    fn without_log_probabilities_the_text_counts() {
        let reply = Said { text: "Trajectory 2".into(), ..Said::default() };
        assert_eq!(probabilities(&reply, &CHOICES), Some((vec![0.0, 1.0], false)));
        assert_eq!(probabilities(&Said { text: "neither".into(), ..Said::default() }, &CHOICES), None);
    }

    #[test]
    fn scores_by_hand() {
        let reply = said(&[token("7", &[("7", 0.5), ("10", 0.25), ("1", 0.25)])]);
        let (p, _) = probabilities(&reply, &SCORES).unwrap();
        // 0.5 · 7 + 0.25 · 10 + 0.25 · 1 = 6.25; (6.25 − 5.5) / 4.5
        assert!((rescaled(&p) - 0.75 / 4.5).abs() < 1e-12);
        assert_eq!(rescaled(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), -1.0);
        assert_eq!(rescaled(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]), 1.0);
        assert!(rescaled(&[0.1; 10]).abs() < 1e-12);
    }

    #[test]
    fn a_ten_of_two_tokens() {
        let tokens = [token("1", &[("1", 0.8), ("9", 0.2)]), token("0", &[("0", 0.75), ("\n", 0.25)])];
        let (p, soft) = probabilities(&said(&tokens), &SCORES).unwrap();
        // P(1) = 0.8 · 0.25, P(9) = 0.2, P(10) = 0.8 · 0.75
        close(&p, &[0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.6]);
        assert!(soft);
        // Not chosen, "1" is the ten beside a nine, and the one beside a two.
        let p = |chosen: &str| {
            let top = [(chosen, 0.6), ("1", 0.4)];
            probabilities(&said(&[token(chosen, &top)]), &SCORES).unwrap().0
        };
        assert!((p("9")[9] - 0.4).abs() < 1e-12 && p("9")[0] == 0.0);
        assert!((p("2")[0] - 0.4).abs() < 1e-12 && p("2")[9] == 0.0);
    }
}
