//! The proleptic Gregorian calendar in UTC and the texts of C's `strftime` in the C locale, without
//! leap seconds.

/// Seconds from 1970 to either end of the times that are told apart: those of ECMAScript. Later and
/// earlier ones count as the ends.
const SECONDS_MAX: i64 = 8_640_000_000_000;
const DAY: i64 = 86_400;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The nine integers of C's `struct tm`: second, minute, hour, day of the month, month from 0, year
/// from 1900, day of the week from Sunday, day of the year from 0, summer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields(pub(super) [i32; 9]);

impl Fields {
    /// The fields of a time in seconds since 1970.
    pub(super) fn at(seconds: i64) -> Self {
        let seconds = seconds.clamp(-SECONDS_MAX, SECONDS_MAX);
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let fields = [
            rest % 60,
            rest / 60 % 60,
            rest / 3600,
            day,
            month,
            year - 1900,
            (days + 4).rem_euclid(7),
            days - days_before(year, 0),
            0,
        ];
        Self(fields.map(|field| i32::try_from(field).unwrap_or(0)))
    }

    /// Seconds since 1970; fields out of their ranges carry over.
    pub(super) fn seconds(&self) -> i64 {
        let [second, minute, hour, day, month, year, ..] = self.0.map(i64::from);
        let year = year + 1900 + month.div_euclid(12);
        let days = days_before(year, month.rem_euclid(12)) + day - 1;
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
        seconds.clamp(-SECONDS_MAX, SECONDS_MAX)
    }
}

/// Days from 1970-01-01 to the first of a month (from 0). Years are counted from March, so that the
/// leap day is a year's last.
const fn days_before(year: i64, month: i64) -> i64 {
    let (year, month) = if month < 2 {
        (year - 1, month + 10)
    } else {
        (year, month - 2)
    };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - 719_468
}

/// Year, month from 0 and day from 1 of a day since 1970.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_400 = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_400 + of_400 / 4 - of_400 / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + of_400;
    if month < 10 {
        (year, month + 2, day)
    } else {
        (year + 1, month - 10, day)
    }
}

/// C's `strftime` with these fields. What is not a conversion stays as it is; numbers are not
/// limited to their ranges.
pub(super) fn format(pattern: &[u8], fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = pattern.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        match rest.next() {
            // Modifiers have no effect in the C locale.
            Some(b'E' | b'O') => convert(rest.next().copied(), fields, &mut out),
            letter => convert(letter.copied(), fields, &mut out),
        }
    }
    out
}

fn convert(letter: Option<u8>, fields: &Fields, out: &mut Vec<u8>) {
    let [second, minute, hour, day, month, year, weekday, yearday, _] = fields.0.map(i64::from);
    let full = year + 1900;
    let name = |names: &'static [&'static str], i: i64| {
        usize::try_from(i)
            .ok()
            .and_then(|i| names.get(i))
            .copied()
            .unwrap_or("?")
    };
    let short = |name: &'static str| name.get(..3).unwrap_or(name).to_owned();
    let twelve = (hour + 11).rem_euclid(12) + 1;
    let again = |pattern: &[u8]| String::from_utf8_lossy(&format(pattern, fields)).into_owned();
    let (week_year, week) = iso_week(full, weekday, yearday);
    let text = match letter {
        Some(b'a') => short(name(&DAYS, weekday)),
        Some(b'A') => name(&DAYS, weekday).to_owned(),
        Some(b'b' | b'h') => short(name(&MONTHS, month)),
        Some(b'B') => name(&MONTHS, month).to_owned(),
        Some(b'c') => again(b"%a %b %e %H:%M:%S %Y"),
        Some(b'C') => format!("{:02}", full.div_euclid(100)),
        Some(b'd') => format!("{day:02}"),
        Some(b'D' | b'x') => again(b"%m/%d/%y"),
        Some(b'e') => format!("{day:2}"),
        Some(b'F') => again(b"%Y-%m-%d"),
        Some(b'g') => format!("{:02}", week_year.rem_euclid(100)),
        Some(b'G') => week_year.to_string(),
        Some(b'H') => format!("{hour:02}"),
        Some(b'I') => format!("{twelve:02}"),
        Some(b'j') => format!("{:03}", yearday + 1),
        Some(b'm') => format!("{:02}", month + 1),
        Some(b'M') => format!("{minute:02}"),
        Some(b'n') => "\n".to_owned(),
        Some(b'p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        Some(b'r') => again(b"%I:%M:%S %p"),
        Some(b'R') => again(b"%H:%M"),
        Some(b's') => fields.seconds().to_string(),
        Some(b'S') => format!("{second:02}"),
        Some(b't') => "\t".to_owned(),
        Some(b'T' | b'X') => again(b"%H:%M:%S"),
        Some(b'u') => (weekday + 6).rem_euclid(7).saturating_add(1).to_string(),
        Some(b'U') => format!("{:02}", (yearday + 7 - weekday).div_euclid(7)),
        Some(b'V') => format!("{week:02}"),
        Some(b'w') => weekday.to_string(),
        Some(b'W') => format!(
            "{:02}",
            (yearday + 7 - (weekday + 6).rem_euclid(7)).div_euclid(7)
        ),
        Some(b'y') => format!("{:02}", full.rem_euclid(100)),
        Some(b'Y') => full.to_string(),
        Some(b'z') => "+0000".to_owned(),
        Some(b'Z') => "UTC".to_owned(),
        Some(b'%') | None => "%".to_owned(),
        Some(other) => {
            out.extend_from_slice(&[b'%', other]);
            return;
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// The year and week of ISO 8601: weeks begin on Monday, and belong to the year of their Thursday.
const fn iso_week(year: i64, weekday: i64, yearday: i64) -> (i64, i64) {
    let thursday = yearday + 3 - (weekday + 6).rem_euclid(7);
    let length = days_before(year + 1, 0) - days_before(year, 0);
    if thursday < 0 {
        let before = days_before(year, 0) - days_before(year - 1, 0);
        return (year - 1, (thursday + before) / 7 + 1);
    }
    if thursday >= length {
        (year + 1, 1)
    } else {
        (year, thursday / 7 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        assert_eq!(Fields::at(0), Fields([0, 0, 0, 1, 0, 70, 4, 0, 0]));
        // 2024-02-29 12:34:56, a Thursday; 1969-12-31 23:59:59.
        assert_eq!(
            Fields::at(1_709_210_096),
            Fields([56, 34, 12, 29, 1, 124, 4, 59, 0])
        );
        assert_eq!(Fields::at(-1), Fields([59, 59, 23, 31, 11, 69, 3, 364, 0]));
        assert_eq!(Fields::at(i64::MAX), Fields::at(SECONDS_MAX));
    }

    #[test]
    fn there_and_back() {
        for seconds in (-SECONDS_MAX..SECONDS_MAX).step_by(34_567_890_123) {
            assert_eq!(Fields::at(seconds).seconds(), seconds);
        }
        // Month 14 of 2023 is March 2024; day 0 is the last of February.
        assert_eq!(
            Fields([0, 0, 0, 0, 14, 123, 0, 0, 0]).seconds(),
            1_709_164_800
        );
        assert_eq!(Fields([i32::MAX; 9]).seconds(), SECONDS_MAX);
    }

    #[test]
    fn texts() {
        let text = |pattern: &str, seconds| {
            String::from_utf8(format(pattern.as_bytes(), &Fields::at(seconds))).unwrap()
        };
        assert_eq!(text("%c", 1_709_210_096), "Thu Feb 29 12:34:56 2024");
        assert_eq!(
            text("%D %F %r %R %j %p %I", 0),
            "01/01/70 1970-01-01 12:00:00 AM 00:00 001 AM 12"
        );
        // 2021-01-03 is a Sunday of week 53 of 2020; 2024-12-30 a Monday of week 1 of 2025.
        assert_eq!(text("%G-%V %u %U %W", 1_609_632_000), "2020-53 7 01 00");
        assert_eq!(text("%g %V %u", 1_735_516_800), "25 01 1");
        assert_eq!(text("%Q %% %Ey %", 0), "%Q % 70 %");
        assert_eq!(format(b"%B", &Fields([i32::MIN; 9])), b"?");
    }
}
