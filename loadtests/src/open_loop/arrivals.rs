//! When requests are to leave: a rate over time, spaced evenly or as a Poisson process.
//!
//! Times are nanoseconds since the start. The `n`th arrival of even spacing lies where the integral of the rate reaches `n`;
//! Poisson spacing draws the integral between two arrivals from an exponential distribution with mean 1 (Lewis and Shedler's
//! time change of a process with rate 1).

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

const NS: f64 = 1e9;
/// Resolution at which the integral of a curve is taken, in seconds. A straight piece is exact at any.
const STEP_S: f64 = 0.001;

/// The rate over time, in requests per second; lengths in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// The same all the time.
    Constant {
        /// Requests per second.
        rate: f64,
        /// Length.
        seconds: f64,
    },
    /// From one rate to another in a straight line.
    Ramp {
        /// Rate at the start.
        from: f64,
        /// Rate at the end.
        to: f64,
        /// Length.
        seconds: f64,
    },
    /// A rate with a higher one in its middle third.
    Spike {
        /// Rate outside.
        base: f64,
        /// Rate inside.
        peak: f64,
        /// Length.
        seconds: f64,
    },
    /// One rate after the other, each for the same time.
    Step {
        /// The rates.
        rates: Vec<f64>,
        /// Length of each.
        seconds: f64,
    },
    /// A wave around a rate: it starts there, rising.
    Sine {
        /// Rate in the middle.
        mean: f64,
        /// How far above and below.
        amplitude: f64,
        /// Length of one wave.
        period: f64,
        /// Length.
        seconds: f64,
    },
    /// Recorded times.
    Replay {
        /// When each request left, in seconds since the start, in the order of time.
        times: Vec<f64>,
    },
}

/// How arrivals lie around the rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// As people come: independent of each other.
    #[default]
    Poisson,
    /// As a metronome.
    Even,
}

/// Why there can be no such arrivals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The text.
    #[error("{0:?} is no shape: constant:RATE, ramp:FROM..TO, spike:BASE..PEAK, step:RATE,RATE,…, or sine:MEAN+-AMPLITUDE/PERIOD is wanted, each with @SECONDS, such as constant:200@30")]
    Text(String),
    /// A number.
    #[error("{0} must be a number from 0 on, and some rate and the length above 0")]
    Number(&'static str),
    /// Recorded times.
    #[error("recorded request {0} is earlier than the one before it")]
    Order(usize),
}

impl Shape {
    /// Reads `constant:200@30`, `ramp:10..500@60`, `spike:50..400@90`, `step:100,200,300@20`, `sine:100+-50/60@300`.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        let wrong = || ShapeError::Text(text.to_owned());
        let number = |t: &str| t.trim().parse::<f64>().map_err(|_| wrong());
        let (shape, seconds) = text.rsplit_once('@').ok_or_else(wrong)?;
        let (name, what) = shape.split_once(':').ok_or_else(wrong)?;
        let seconds = number(seconds)?;
        let pair = |separator: &str| {
            let (a, b) = what.split_once(separator).ok_or_else(wrong)?;
            Ok::<_, ShapeError>((number(a)?, b))
        };
        let shape = match name {
            "constant" => Shape::Constant { rate: number(what)?, seconds },
            "ramp" => pair("..").and_then(|(from, to)| Ok(Shape::Ramp { from, to: number(to)?, seconds }))?,
            "spike" => pair("..").and_then(|(base, peak)| Ok(Shape::Spike { base, peak: number(peak)?, seconds }))?,
            "step" => Shape::Step { rates: what.split(',').map(number).collect::<Result<_, _>>()?, seconds },
            "sine" => {
                let (mean, rest) = pair("+-")?;
                let (amplitude, period) = rest.split_once('/').ok_or_else(wrong)?;
                Shape::Sine { mean, amplitude: number(amplitude)?, period: number(period)?, seconds }
            }
            _ => return Err(wrong()),
        };
        shape.check()?;
        Ok(shape)
    }

    /// Refuses what cannot be sent.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn check(&self) -> Result<(), ShapeError> {
        let fine = |x: &f64| x.is_finite() && *x >= 0.0;
        let all = |numbers: &[f64]| numbers.iter().all(fine);
        let long = |seconds: &f64| fine(seconds) && *seconds > 0.0;
        let (right, what) = match self {
            Shape::Constant { rate, seconds } => (long(rate) && long(seconds), "a rate"),
            Shape::Ramp { from, to, seconds } => (all(&[*from, *to]) && from + to > 0.0 && long(seconds), "each rate of a ramp"),
            Shape::Spike { base, peak, seconds } => (all(&[*base, *peak]) && base + peak > 0.0 && long(seconds), "each rate of a spike"),
            Shape::Step { rates, seconds } => (all(rates) && rates.iter().sum::<f64>() > 0.0 && long(seconds), "each rate of a step"),
            Shape::Sine { mean, amplitude, period, seconds } => {
                (long(mean) && fine(amplitude) && amplitude <= mean && long(period) && long(seconds), "mean less amplitude of a wave")
            }
            Shape::Replay { times } => {
                if let Some(at) = times.windows(2).position(|w| w[1] < w[0]) {
                    return Err(ShapeError::Order(at + 2));
                }
                (all(times) && !times.is_empty(), "each recorded time")
            }
        };
        if right { Ok(()) } else { Err(ShapeError::Number(what)) }
    }

    /// The length, in seconds.
    pub fn seconds(&self) -> f64 {
        match self {
            Shape::Constant { seconds, .. } | Shape::Ramp { seconds, .. } | Shape::Spike { seconds, .. } | Shape::Sine { seconds, .. } => *seconds,
            Shape::Step { rates, seconds } => seconds * rates.len() as f64,
            Shape::Replay { times } => times.last().copied().unwrap_or(0.0),
        }
    }

    /// The rate at a time, in requests per second. A recording has none.
    fn rate(&self, at: f64) -> f64 {
        match self {
            Shape::Constant { rate, .. } => *rate,
            Shape::Ramp { from, to, seconds } => from + (to - from) * at / seconds,
            Shape::Spike { base, peak, seconds } => {
                let third = seconds / 3.0;
                if (third..2.0 * third).contains(&at) { *peak } else { *base }
            }
            Shape::Step { rates, seconds } => rates.get((at / seconds) as usize).copied().unwrap_or(0.0),
            Shape::Sine { mean, amplitude, period, .. } => mean + amplitude * (std::f64::consts::TAU * at / period).sin(),
            Shape::Replay { .. } => 0.0,
        }
    }

    /// The arrivals, in nanoseconds since the start, in the order of time. The same seed gives the same arrivals.
    pub fn arrivals(&self, spacing: Spacing, seed: u64) -> Box<dyn Iterator<Item = u64> + Send + '_> {
        if let Shape::Replay { times } = self {
            return Box::new(times.iter().map(|s| (s * NS) as u64));
        }
        Box::new(Arrivals { shape: self, spacing, rng: ChaCha8Rng::seed_from_u64(seed), at: 0.0, end: self.seconds(), until_next: None })
    }
}

struct Arrivals<'a> {
    shape: &'a Shape,
    spacing: Spacing,
    rng: ChaCha8Rng,
    /// Seconds since the start.
    at: f64,
    end: f64,
    /// What the rate must still add up to before the next arrival.
    until_next: Option<f64>,
}

impl Iterator for Arrivals<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let first = self.until_next.is_none();
        let mut left = match self.spacing {
            // Half a gap before the first: so many arrivals as the rate adds up to, rounded, not one more.
            Spacing::Even if first => 0.5,
            Spacing::Even => 1.0,
            Spacing::Poisson => -(1.0 - self.rng.random::<f64>()).ln(),
        };
        self.until_next = Some(left);
        while self.at < self.end {
            let step = STEP_S.min(self.end - self.at);
            // Pieces are bounded by steps, so a curve is followed; its middle is exact for a straight piece.
            let adds = self.shape.rate(self.at + step / 2.0) * step;
            if adds >= left {
                self.at += step * left / adds;
                return Some((self.at * NS) as u64);
            }
            left -= adds;
            self.at += step;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn all(text: &str, spacing: Spacing) -> Vec<u64> {
        Shape::parse(text).expect("a shape").arrivals(spacing, 7).collect()
    }

    fn within(arrivals: &[u64], from_s: f64, to_s: f64) -> usize {
        arrivals.iter().filter(|ns| (from_s..to_s).contains(&(**ns as f64 / NS))).count()
    }

    #[rstest]
    #[case::constant("constant:200@30", 6_000)]
    #[case::ramp("ramp:0..100@20", 1_000)]
    #[case::spike("spike:10..100@30", 1_200)]
    #[case::step("step:100,0,300@2", 800)]
    #[case::sine("sine:100+-50/10@20", 2_000)]
    fn even_arrivals_are_as_many_as_the_rate_adds_up_to(#[case] text: &str, #[case] count: usize) {
        let arrivals = all(text, Spacing::Even);
        assert!(arrivals.len().abs_diff(count) <= 1, "{} of {count}", arrivals.len());
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn even_arrivals_follow_the_curve() {
        let ramp = all("ramp:0..100@20", Spacing::Even);
        assert!(within(&ramp, 0.0, 10.0).abs_diff(250) <= 1 && within(&ramp, 10.0, 20.0).abs_diff(750) <= 1);
        let step = all("step:100,0,300@2", Spacing::Even);
        assert_eq!(within(&step, 2.0, 4.0), 0);
        let constant = all("constant:1000@1", Spacing::Even);
        assert!(constant.windows(2).all(|w| (w[1] - w[0]).abs_diff(1_000_000) <= 2), "a gap of 1 ms each");
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_its_spread() {
        let arrivals = all("constant:1000@100", Spacing::Poisson);
        // 100,000 expected, a deviation of 316.
        assert!(arrivals.len().abs_diff(100_000) < 5 * 316, "{}", arrivals.len());
        let gaps: Vec<f64> = arrivals.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((deviation / mean - 1.0).abs() < 0.03, "an exponential distribution deviates by its mean: {deviation} of {mean}");
        assert_eq!(arrivals, all("constant:1000@100", Spacing::Poisson), "the same seed, the same arrivals");
    }

    #[test]
    fn recorded_arrivals_are_kept() {
        let shape = Shape::Replay { times: vec![0.0, 0.25, 0.25, 3.0] };
        assert_eq!(shape.check(), Ok(()));
        assert_eq!(shape.arrivals(Spacing::Poisson, 1).collect::<Vec<_>>(), [0, 250_000_000, 250_000_000, 3_000_000_000]);
        assert_eq!(Shape::Replay { times: vec![1.0, 0.5] }.check(), Err(ShapeError::Order(2)));
    }

    #[rstest]
    #[case::no_length("constant:200")]
    #[case::no_number("constant:fast@3")]
    #[case::no_rate("constant:0@3")]
    #[case::endless("constant:5@inf")]
    #[case::below_zero("ramp:-1..5@3")]
    #[case::no_end("ramp:1@3")]
    #[case::deeper_than_its_mean("sine:10+-20/5@30")]
    #[case::unknown("cliff:1@3")]
    fn what_is_no_shape_is_told(#[case] text: &str) {
        assert!(Shape::parse(text).is_err());
    }
}
