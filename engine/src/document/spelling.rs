//! Finds the word that was probably meant.

/// Longest word that is looked at; longer ones are no misspelt names of ours, and the cost grows with the square.
const LENGTH_MAX: usize = 40;

/// Returns the known word that is nearest to `word`, if it is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LENGTH_MAX {
        return None;
    }
    let near = |candidate: &&str| distance(word, candidate);
    let found = known.into_iter().min_by_key(near)?;
    // A third of the letters may be wrong, two at most.
    let allowed = (word.chars().count().max(found.chars().count()) / 3).min(2);
    (distance(word, found) <= allowed).then_some(found)
}

/// Returns how many letters must be inserted, removed, replaced or swapped with their neighbour.
///
/// Source: optimal string alignment distance, a restricted form of Damerau (1964).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_recognised_and_a_strange_one_is_not() {
        let known = ["acknowledge", "buffer", "nodes", "id"];
        for (word, meant) in [
            ("aknowledge", Some("acknowledge")),
            ("bufefr", Some("buffer")),
            ("node", Some("nodes")),
            ("Nodes", Some("nodes")),
            ("colour", None),
            ("di", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
