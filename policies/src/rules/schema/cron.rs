//! Schedules of CronJobs, as Kubernetes reads them.

/// The fields of a schedule: name, least and greatest value, names of values from the least on.
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

const DESCRIPTORS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Days of each month, in a leap year.
const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// What is wrong with a schedule.
pub fn fault(schedule: &str) -> Option<String> {
    let text = schedule.trim();
    if text.contains("TZ=") {
        return Some("a time zone stands in the schedule: use timeZone".to_owned());
    }
    if let Some(duration) = text.strip_prefix("@every ") {
        let good = duration.trim().starts_with(|first: char| first.is_ascii_digit()) && duration.trim().ends_with(['s', 'm', 'h']);
        return (!good).then(|| format!("{:?} is no duration such as 1h30m", duration.trim()));
    }
    if text.starts_with('@') {
        return (!DESCRIPTORS.contains(&text)).then(|| format!("there is no {text}; there are {}", DESCRIPTORS.join(", ")));
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Some(format!("{} fields, expected 5: minute, hour, day of month, month, day of week", parts.len()));
    }
    let mut values = Vec::new();
    for (part, field) in parts.iter().zip(FIELDS) {
        match read(part, field) {
            Ok(set) => values.push(set),
            Err(fault) => return Some(fault),
        }
    }
    // With a day of the week either day will do.
    let any_weekday = parts[4].starts_with(['*', '?']);
    let (days, months) = (&values[2], &values[3]);
    let occurs = months.iter().any(|month| days.iter().any(|day| DAYS.get(*month as usize - 1).is_some_and(|last| day <= last)));
    (any_weekday && !occurs).then(|| "that day never comes".to_owned())
}

fn read(part: &str, (name, least, greatest, names): (&str, u32, u32, &[&str])) -> Result<Vec<u32>, String> {
    let value = |text: &str| {
        let named = names.iter().position(|known| known.eq_ignore_ascii_case(text)).and_then(|at| u32::try_from(at).ok());
        let value = named.map(|at| at + least).or_else(|| text.parse().ok()).ok_or_else(|| format!("{name}: {text:?} is no value"))?;
        if (least..=greatest).contains(&value) { Ok(value) } else { Err(format!("{name}: {value} is not from {least} to {greatest}")) }
    };
    let mut set = Vec::new();
    for item in part.split(',') {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let step = match step.map(str::parse::<u32>) {
            None => None,
            Some(Ok(step)) if step > 0 => Some(step),
            Some(_) => return Err(format!("{name}: {item:?} has no step above zero")),
        };
        let (first, last) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (least, greatest),
            Some((first, last)) => (value(first)?, value(last)?),
            None => {
                let first = value(range)?;
                (first, if step.is_some() { greatest } else { first })
            }
        };
        if first > last {
            return Err(format!("{name}: {range:?} ends before it begins"));
        }
        set.extend((first..=last).step_by(step.unwrap_or(1) as usize));
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn good_schedules_have_no_fault() {
        for good in ["*/5 * * * *", "17 2 * * *", "0 0 29 feb *", "0 9-17/2 * * MON-FRI", "0,30 * ? * *", "@hourly", "@every 1h30m", "0 0 31 2 1", "5/15 * * * *"] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn bad_schedules_say_what_is_wrong() {
        let cases = [
            ("* * * *", "4 fields"),
            ("0 0 * * * *", "6 fields"),
            ("60 * * * *", "minute: 60 is not from 0 to 59"),
            ("0 0 * * 7", "day of week: 7 is not from 0 to 6"),
            ("0 0 0 * *", "day of month: 0"),
            ("*/0 * * * *", "no step above zero"),
            ("0 17-9 * * *", "ends before it begins"),
            ("0 0 31 4,6 *", "never comes"),
            ("0 0 30 2 *", "never comes"),
            ("@fortnightly", "there is no @fortnightly"),
            ("CRON_TZ=UTC 0 0 * * *", "use timeZone"),
            ("@every day", "no duration"),
            ("a * * * *", "is no value"),
            ("", "0 fields"),
        ];
        for (bad, expected) in cases {
            assert!(fault(bad).is_some_and(|fault| fault.contains(expected)), "{bad}: {:?}", fault(bad));
        }
    }
}
