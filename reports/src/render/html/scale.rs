//! From times and values to places on the page, and the round numbers beside them.

use super::super::words::figure;
use super::stamp;

/// The time axis: run clock in ms to x.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeScale {
    /// First and last ms.
    pub from: u64,
    /// Last ms.
    pub to: u64,
    /// x of the first ms.
    pub left: f64,
    /// x of the last ms.
    pub right: f64,
}

impl TimeScale {
    /// The place of a time; times outside land on the edge.
    pub fn x(&self, at_ms: u64) -> f64 {
        let span = (self.to - self.from).max(1) as f64;
        let part = (at_ms.clamp(self.from, self.to) - self.from) as f64 / span;
        round(self.left + part * (self.right - self.left))
    }

    /// Six to twelve round times with their places and labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        const STEPS: [u64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
        let span = (self.to - self.from) / 1000;
        let step = STEPS.into_iter().find(|s| span / s <= 12).unwrap_or(14_400) * 1000;
        (self.from.div_ceil(step)..=self.to / step).map(|i| (self.x(i * step), stamp(i * step))).collect()
    }
}

/// The value axis of one panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueScale {
    low: f64,
    high: f64,
    log: bool,
    top: f64,
    bottom: f64,
}

impl ValueScale {
    /// From zero to a round number above `max`; logarithmic when `max` dwarfs the smallest positive value and `may_log`.
    pub fn new(least_positive: f64, max: f64, may_log: bool, top: f64, bottom: f64) -> Self {
        if may_log && least_positive > 0.0 && max / least_positive > 40.0 {
            let low = 10f64.powf(least_positive.log10().floor());
            return ValueScale { low, high: max * 1.15, log: true, top, bottom };
        }
        let step = round_step(max.max(1.0));
        ValueScale { low: 0.0, high: (max.max(1.0) / step).ceil() * step, log: false, top, bottom }
    }

    /// True when the scale is logarithmic; the panel must say so.
    pub fn is_log(&self) -> bool {
        self.log
    }

    /// The place of a value; values outside land on the edge.
    pub fn y(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let part = match self.log {
            true => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
            false => (value - self.low) / (self.high - self.low),
        };
        round(self.bottom - part * (self.bottom - self.top))
    }

    /// Round values with their places and labels.
    pub fn ticks(&self, unit: &str) -> Vec<(f64, String)> {
        let mut values = Vec::new();
        if self.log {
            let mut value = self.low;
            while value <= self.high {
                values.push(value);
                value *= 10.0;
            }
        } else {
            let step = round_step(self.high);
            values.extend((0..=(self.high / step).round() as u32).map(|i| f64::from(i) * step));
        }
        values.into_iter().map(|v| (self.y(v), with_unit(v, unit))).collect()
    }
}

/// A step of 1, 2 or 5 that gives two to four steps up to `max`.
fn round_step(max: f64) -> f64 {
    let rough = max / 3.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().map(|m| m * power).find(|s| *s >= rough).unwrap_or(10.0 * power);
    step.max(1.0)
}

/// A value with its unit; thousands of ms become seconds.
pub(super) fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "ms" if value >= 1000.0 => format!("{} s", figure(value / 1000.0)),
        "" | "/s" => figure(value),
        "%" => format!("{} %", figure(value)),
        unit => format!("{} {unit}", figure(value)),
    }
}

/// One decimal: the picture needs no more, and the file stays small.
pub(super) fn round(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_run_from_edge_to_edge() {
        let scale = TimeScale { from: 60_000, to: 660_000, left: 0.0, right: 600.0 };
        assert_eq!([scale.x(0), scale.x(360_000), scale.x(9_999_999)], [0.0, 300.0, 600.0]);
        let ticks = scale.ticks();
        assert_eq!((ticks.len(), ticks[0].clone()), (11, (0.0, "01:00".to_owned())));
    }

    #[test]
    fn values_stand_on_round_numbers() {
        let scale = ValueScale::new(3.0, 9.0, false, 0.0, 100.0);
        let labels: Vec<_> = scale.ticks("").into_iter().map(|t| t.1).collect();
        assert_eq!(labels, ["0", "5", "10"]);
        assert_eq!((scale.y(0.0), scale.y(10.0)), (100.0, 0.0));
    }

    #[test]
    fn latencies_over_decades_get_a_logarithmic_scale() {
        let scale = ValueScale::new(4.0, 5000.0, true, 0.0, 100.0);
        assert!(scale.is_log());
        let labels: Vec<_> = scale.ticks("ms").into_iter().map(|t| t.1).collect();
        assert_eq!(labels, ["1 ms", "10 ms", "100 ms", "1 s"]);
        assert!(scale.y(0.0) <= 100.0, "a zero lands on the edge");
    }

    #[test]
    fn nothing_but_zeros_still_has_an_axis() {
        let scale = ValueScale::new(0.0, 0.0, true, 0.0, 50.0);
        assert_eq!(scale.y(0.0), 50.0);
        assert!(scale.ticks("/s").len() >= 2);
    }
}
