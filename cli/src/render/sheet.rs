//! Rows and columns, and the formats made of them.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use crate::console::{Paint, clean};
use crate::exit::Failure;

/// Rows under named columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Returns an empty sheet.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Returns only the columns `fields`, in that order. A column that is not there is an error,
    /// unless there is no row to know the columns by.
    pub(crate) fn select(self, fields: &[String]) -> Result<Self, Failure> {
        if fields.is_empty() {
            return Ok(self);
        }
        let unknown = fields.iter().find(|field| !self.columns.contains(field));
        if let Some(field) = unknown.filter(|_field| !self.rows.is_empty()) {
            let known = self.columns.join("`, `");
            return Err(Failure::usage(format!("there is no column `{field}`"))
                .hint(format!("the columns are `{known}`")));
        }
        let place = |field: &String| self.columns.iter().position(|name| name == field);
        let places: Vec<Option<usize>> = fields.iter().map(place).collect();
        let pick = |row: &Vec<String>| {
            let cell = |at: &Option<usize>| at.and_then(|at| row.get(at)).cloned();
            places
                .iter()
                .map(|at| cell(at).unwrap_or_default())
                .collect()
        };
        Ok(Self {
            rows: self.rows.iter().map(pick).collect(),
            columns: fields.to_vec(),
        })
    }

    /// Writes aligned columns, numbers to the right. No rows, no header.
    pub(crate) fn table(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| shown(row)).collect();
        let widths: Vec<usize> = self.widths(&cells);
        let numeric: Vec<bool> = (0..self.columns.len())
            .map(|at| cells.iter().all(|row| is_number(&row[at])))
            .collect();
        let header = shown(&self.columns);
        writeln!(out, "{}", paint.bold(&aligned(&header, &widths, &numeric)))?;
        for row in &cells {
            writeln!(out, "{}", aligned(row, &widths, &numeric))?;
        }
        Ok(())
    }

    fn widths(&self, cells: &[Vec<String>]) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|name| name.width()).collect();
        for row in cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        widths
    }

    /// Writes comma-separated values as RFC 4180 has them, but with plain line feeds.
    pub(crate) fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let quote = |cell: &String| {
            if cell.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        };
        self.joined(out, ",", &quote)
    }

    /// Writes tab-separated values; tabs and line breaks within a value are escaped.
    pub(crate) fn tsv(&self, out: &mut dyn Write) -> io::Result<()> {
        let escape = |cell: &String| {
            let escaped = cell.replace('\\', "\\\\").replace('\t', "\\t");
            escaped.replace('\n', "\\n").replace('\r', "\\r")
        };
        self.joined(out, "\t", &escape)
    }

    fn joined(
        &self,
        out: &mut dyn Write,
        separator: &str,
        cell: &dyn Fn(&String) -> String,
    ) -> io::Result<()> {
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            let cells: Vec<String> = row.iter().map(cell).collect();
            writeln!(out, "{}", cells.join(separator))?;
        }
        Ok(())
    }

    /// Writes a Markdown table.
    pub(crate) fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = |row: &[String]| {
            let cells: Vec<String> = shown(row)
                .iter()
                .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
                .collect();
            format!("| {} |", cells.join(" | "))
        };
        writeln!(out, "{}", line(&self.columns))?;
        let rules: Vec<&str> = self.columns.iter().map(|_| "---").collect();
        writeln!(out, "| {} |", rules.join(" | "))?;
        for row in &self.rows {
            writeln!(out, "{}", line(row))?;
        }
        Ok(())
    }

    /// Writes one JSON object per row; all values are strings, empty ones left out.
    pub(crate) fn jsonl(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.rows {
            let pairs = self
                .columns
                .iter()
                .zip(row)
                .filter(|(_, cell)| !cell.is_empty());
            let object: serde_json::Map<String, serde_json::Value> = pairs
                .map(|(name, cell)| (name.clone(), cell.clone().into()))
                .collect();
            serde_json::to_writer(&mut *out, &object)?;
            writeln!(out)?;
        }
        Ok(())
    }

    /// Writes the first column, one value per line.
    pub(crate) fn raw(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.rows {
            writeln!(
                out,
                "{}",
                row.first().map(String::as_str).unwrap_or_default()
            )?;
        }
        Ok(())
    }
}

/// Returns cells fit for a terminal.
fn shown(row: &[String]) -> Vec<String> {
    row.iter()
        .map(|cell| clean(cell).replace('\n', "\\n"))
        .collect()
}

fn is_number(cell: &str) -> bool {
    cell.is_empty() || cell.parse::<f64>().is_ok()
}

fn aligned(row: &[String], widths: &[usize], numeric: &[bool]) -> String {
    let mut line = String::new();
    for (at, cell) in row.iter().enumerate() {
        let fill = " ".repeat(widths[at].saturating_sub(cell.width()));
        if at > 0 {
            line.push_str("  ");
        }
        if numeric[at] {
            line.push_str(&fill);
            line.push_str(cell);
        } else {
            line.push_str(cell);
            line.push_str(&fill);
        }
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let mut sheet = Sheet::new(&["job", "path", "value"]);
        sheet.rows.push(row(["api", "/a,b", "1.5"]));
        sheet.rows.push(row(["große \"bank\"", "x|y\tz", "NaN"]));
        sheet.rows.push(row(["evil\u{1b}[31m", "", "-12"]));
        sheet
    }

    fn text(write: impl Fn(&Sheet, &mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&sheet(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_format_holds_the_same_rows() {
        let _bound = obsq_snapshots::bind("cli");
        let all = [
            ("table", text(|sheet, out| sheet.table(out, Paint(false)))),
            ("csv", text(|sheet, out| sheet.csv(out))),
            ("tsv", text(|sheet, out| sheet.tsv(out))),
            ("markdown", text(|sheet, out| sheet.markdown(out))),
            ("jsonl", text(|sheet, out| sheet.jsonl(out))),
            ("raw", text(|sheet, out| sheet.raw(out))),
        ];
        let shown: Vec<String> = all
            .iter()
            .map(|(name, text)| format!("# {name}\n{text}"))
            .collect();
        insta::assert_snapshot!(
            "sheet_formats",
            shown
                .join("\n")
                .escape_debug()
                .to_string()
                .replace("\\n", "\n")
        );
    }

    #[test]
    fn fields_pick_and_order_columns() {
        let fields = ["value".to_owned(), "job".to_owned()];
        let picked = sheet().select(&fields).unwrap();
        assert_eq!(picked.columns, ["value", "job"]);
        assert_eq!(picked.rows[0], ["1.5", "api"]);
        let unknown = ["nope".to_owned()];
        let failure = format!("{:?}", sheet().select(&unknown).unwrap_err());
        assert!(failure.contains("`job`, `path`, `value`"), "{failure}");
        assert!(Sheet::new(&["a"]).select(&unknown).is_ok());
    }

    #[test]
    fn an_empty_sheet_has_no_table() {
        let mut out = Vec::new();
        Sheet::new(&["a"]).table(&mut out, Paint(true)).unwrap();
        assert!(out.is_empty());
    }
}
