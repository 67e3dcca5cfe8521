//! Damage to a dump of pg_dump.

use crate::drill::archive::{flip_in_the_middle, other_character};

/// Changes a character inside a row when the dump is text: it stays readable, and only the content differs. A compressed
/// dump or an archive of pg_dump gets other bytes in its middle.
pub fn flip_inside_a_row(dump: &[u8]) -> Option<Vec<u8>> {
    let packed = dump.starts_with(&[0x1f, 0x8b]) || dump.starts_with(b"PGDMP") || dump.contains(&0);
    let at = if packed { None } else { character_of_a_row(dump) };
    match at {
        Some(at) => {
            let mut damaged = dump.to_vec();
            damaged[at] = other_character(damaged[at])?;
            Some(damaged)
        }
        None => flip_in_the_middle(dump),
    }
}

/// Where the last letter or digit of the middlemost row stands. Rows stand between `COPY … FROM stdin;` and `\.`, or are
/// INSERTs.
fn character_of_a_row(dump: &[u8]) -> Option<usize> {
    let (mut rows, mut start, mut copying) = (Vec::new(), 0, false);
    for line in dump.split_inclusive(|b| *b == b'\n') {
        let text = line.trim_ascii_end();
        if copying {
            copying = text != b"\\.";
            if copying {
                rows.push((start, text));
            }
        } else if text.starts_with(b"COPY ") && text.ends_with(b"FROM stdin;") {
            copying = true;
        } else if text.starts_with(b"INSERT INTO ") {
            rows.push((start, text));
        }
        start += line.len();
    }
    let damageable = rows.iter().filter_map(|(start, text)| Some(start + text.iter().rposition(|b| other_character(*b).is_some())?));
    let all: Vec<usize> = damageable.collect();
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_plain_dump_is_changed_and_nothing_else() {
        let dump = b"CREATE TABLE t (a text);\nCOPY public.t (a) FROM stdin;\nabc\t\\N\n\\.\n-- done\n";
        let damaged = flip_inside_a_row(dump).expect("flipped");
        assert_eq!(damaged.iter().zip(dump).filter(|(a, b)| a != b).count(), 1);
        assert!(damaged.starts_with(b"CREATE TABLE t (a text);\nCOPY public.t (a) FROM stdin;\nab"), "{}", String::from_utf8_lossy(&damaged));
        assert!(damaged.ends_with(b"\\.\n-- done\n"));
        let inserts = flip_inside_a_row(b"INSERT INTO t VALUES ('a9');\n").expect("flipped");
        assert_eq!(inserts, b"INSERT INTO t VALUES ('a0');\n");
    }

    #[test]
    fn a_packed_dump_is_hit_in_its_middle() {
        let mut packed = vec![0x1f, 0x8b];
        packed.extend([7; 20]);
        let damaged = flip_inside_a_row(&packed).expect("flipped");
        assert_eq!((damaged.len(), damaged[..2].to_vec()), (22, vec![0x1f, 0x8b]));
        assert_ne!(damaged, packed);
        assert_eq!(flip_inside_a_row(b""), None);
    }
}
