//! The CSV of `influx -format csv`: for each series a header, then its rows; a blank line between answers. Quoted values
//! may hold line breaks.

/// A header and one of its rows.
pub type Row<'a> = (&'a [String], Vec<String>);

/// Reads it line by line.
#[derive(Default)]
pub struct Rows {
    /// The first part of a row whose quotes are not closed yet.
    open: String,
    header: Vec<String>,
}

impl Rows {
    /// Takes one line, and gives the row that it ends, with its header.
    ///
    /// # Errors
    /// When it is no CSV, or a row has more or fewer values than its header.
    pub fn take(&mut self, line: &[u8]) -> Result<Option<Row<'_>>, String> {
        let text = std::str::from_utf8(line).map_err(|e| e.to_string())?;
        if self.open.is_empty() && text.is_empty() {
            self.header.clear();
            return Ok(None);
        }
        self.open.push_str(text);
        if self.open.matches('"').count() % 2 == 1 {
            self.open.push('\n');
            return Ok(None);
        }
        let fields = split(&std::mem::take(&mut self.open));
        // Every series brings a header of its own. Only headers name a column `time`, or begin the answer.
        let begins = self.header.is_empty() || fields.starts_with(&["name".to_owned(), "tags".to_owned(), "time".to_owned()]);
        if begins {
            self.header = fields;
            return Ok(None);
        }
        if fields.len() != self.header.len() {
            return Err(format!("{} values for {} columns: {}", fields.len(), self.header.len(), fields.join(",")));
        }
        Ok(Some((&self.header, fields)))
    }
}

/// The values of one row.
fn split(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}
