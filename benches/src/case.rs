//! One workload: the samples of each subject, and the rows that follow from them.

use serde::Serialize;

/// Samples of several subjects, one of each per repetition.
pub(crate) struct Case {
    workload: &'static str,
    unit: &'static str,
    reference: &'static str,
    subjects: Vec<(&'static str, Vec<f64>)>,
}

/// A row of a result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) workload: &'static str,
    /// Who did it.
    pub(crate) subject: &'static str,
    /// Who it is compared with.
    pub(crate) reference: &'static str,
    /// What `value`, `min` and `max` are.
    pub(crate) unit: &'static str,
    /// Median of the repetitions.
    pub(crate) value: f64,
    /// Smallest of the repetitions.
    pub(crate) min: f64,
    /// Largest of the repetitions.
    pub(crate) max: f64,
    /// How many repetitions there were.
    pub(crate) runs: usize,
    /// Subject divided by reference within a repetition, median of the repetitions.
    pub(crate) ratio: f64,
}

impl Case {
    pub(crate) fn new(workload: &'static str, unit: &'static str, reference: &'static str) -> Self {
        Self {
            workload,
            unit,
            reference,
            subjects: Vec::new(),
        }
    }

    /// Adds a subject's sample of the next repetition.
    pub(crate) fn sample(&mut self, subject: &'static str, value: f64) {
        match self
            .subjects
            .iter_mut()
            .find(|(known, _)| *known == subject)
        {
            Some((_, samples)) => samples.push(value),
            None => self.subjects.push((subject, vec![value])),
        }
    }

    /// Makes one row of each subject, in the order of their first samples.
    ///
    /// # Panics
    /// If a subject has not as many samples as the reference: then they were not interleaved.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let reference = self
            .subjects
            .iter()
            .find(|(subject, _)| *subject == self.reference);
        let reference = reference
            .map(|(_, samples)| samples.as_slice())
            .unwrap_or_default();
        let row = |(subject, samples): &(&'static str, Vec<f64>)| {
            assert_eq!(
                samples.len(),
                reference.len(),
                "`{subject}` in `{}`",
                self.workload
            );
            let ratios = samples
                .iter()
                .zip(reference)
                .map(|(ours, theirs)| ours / theirs);
            Row {
                workload: self.workload,
                subject,
                reference: self.reference,
                unit: self.unit,
                value: round(median(samples.clone())),
                min: round(samples.iter().copied().fold(f64::INFINITY, f64::min)),
                max: round(samples.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                runs: samples.len(),
                ratio: round(median(ratios.collect())),
            }
        };
        self.subjects.iter().map(row).collect()
    }
}

/// The middle of the samples, the lower one of two.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples
        .get(samples.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}

/// Four digits that count are more than any of these measurements has.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(3 - value.abs().log10().floor() as i32);
    let rounded = (value * scale).round() / scale;
    if value.abs() >= 10_000.0 {
        value.round()
    } else {
        rounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_ratios_within_repetitions() {
        let mut case = Case::new("w", "rec/s", "raw");
        for (raw, ours) in [(100.0, 50.0), (10.0, 10.0), (1000.0, 600.0)] {
            case.sample("raw", raw);
            case.sample("hermod", ours);
        }
        let rows = case.rows();
        assert_eq!(
            (rows[0].subject, rows[0].ratio, rows[0].value),
            ("raw", 1.0, 100.0)
        );
        let Row {
            value,
            min,
            max,
            ratio,
            runs,
            ..
        } = rows[1];
        assert_eq!((value, min, max, ratio, runs), (50.0, 10.0, 600.0, 0.6, 3));
    }

    #[test]
    #[should_panic(expected = "`hermod` in `w`")]
    fn samples_that_were_not_interleaved_are_refused() {
        let mut case = Case::new("w", "rec/s", "raw");
        case.sample("raw", 1.0);
        case.sample("hermod", 1.0);
        case.sample("hermod", 1.0);
        case.rows();
    }

    #[test]
    fn numbers_are_rounded_to_what_they_are_worth() {
        let text = |value: f64| round(value).to_string();
        assert_eq!(text(0.123_456), "0.1235");
        assert_eq!(text(123.456), "123.5");
        assert_eq!(text(123_456.7), "123457");
    }
}
