//! Calls of functions: those that look at one row, and the names of those that do not.

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function as Call, FunctionArg, FunctionArgExpr, FunctionArguments,
    TrimWhereField,
};

use super::super::functions::{self, Fixed, Function};
use super::super::tree::{Case, Kind, Literal, Node, Place, TextTest};
use super::{ONE_EVENT, Reader, start};
use crate::error::{Error, Result, nearest};

/// Functions over many rows.
const AGGREGATES: &[&str] = &[
    "ANY_VALUE",
    "APPROX_COUNT_DISTINCT",
    "ARRAY_AGG",
    "AVG",
    "BOOL_AND",
    "BOOL_OR",
    "CORR",
    "COUNT",
    "COUNT_IF",
    "COVAR",
    "EVERY",
    "FIRST",
    "GROUP_CONCAT",
    "LAST",
    "LISTAGG",
    "MAX",
    "MEAN",
    "MEDIAN",
    "MIN",
    "MODE",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "PRODUCT",
    "QUANTILE",
    "QUANTILE_CONT",
    "QUANTILE_DISC",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "STRING_AGG",
    "SUM",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
];
/// Functions of the order of rows.
const WINDOWS: &[&str] = &[
    "CUME_DIST",
    "DENSE_RANK",
    "FIRST_VALUE",
    "LAG",
    "LAST_VALUE",
    "LEAD",
    "NTH_VALUE",
    "NTILE",
    "PERCENT_RANK",
    "RANK",
    "ROW_NUMBER",
];
/// Functions that give something else each time.
const RANDOM: &[&str] = &["GEN_RANDOM_UUID", "NEWID", "RAND", "RANDOM", "UUID"];
/// Functions of the time of asking.
const NOW: &[&str] = &[
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURTIME",
    "GETDATE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NOW",
    "SYSDATE",
    "TODAY",
];
/// Functions with a part of the tree of their own.
const SPECIAL: &[&str] = &[
    "COALESCE",
    "IFNULL",
    "NVL",
    "NULLIF",
    "IF",
    "IIF",
    "IFF",
    "GREATEST",
    "LEAST",
    "REGEXP_LIKE",
    "REGEXP_MATCHES",
    "DATE_PART",
];

impl Reader<'_> {
    pub(super) fn function(&mut self, call: &Call, at: Place) -> Result<Kind> {
        let name = call.name.to_string().to_ascii_uppercase();
        self.refuse_by_name(&name, call, at)?;
        let FunctionArguments::List(list) = &call.args else {
            return Err(self.unknown(&name, at));
        };
        let plain = list.duplicate_treatment.is_none() && list.clauses.is_empty();
        let modified = call.filter.is_some() || call.null_treatment.is_some() || !call.within_group.is_empty();
        if !plain || modified || call.parameters != FunctionArguments::None {
            return Err(self.wrong(at, format!("{name} takes nothing but values in brackets")).hint(ONE_EVENT));
        }
        let mut arguments = Vec::new();
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => arguments.push(value),
                other => return Err(self.wrong(at, format!("{name} cannot take `{other}`"))),
            }
        }
        if SPECIAL.contains(&name.as_str()) {
            self.special(&name, &arguments, at)
        } else {
            self.plain(&name, &arguments, at)
        }
    }

    /// Refuses what does not look at one row, with its name.
    fn refuse_by_name(&self, name: &str, call: &Call, at: Place) -> Result<()> {
        let refused = |what: &str| Err(self.wrong(at, format!("{name} {what}")).hint(ONE_EVENT));
        if call.over.is_some() {
            return refused("OVER a window looks at other events");
        }
        if AGGREGATES.contains(&name) {
            return refused("counts over many events").map_err(|error: Error| match name {
                "MIN" => error.hint("the least of several values of one event is LEAST(a, b)"),
                "MAX" => error.hint("the greatest of several values of one event is GREATEST(a, b)"),
                _ => error,
            });
        }
        if WINDOWS.contains(&name) {
            return refused("depends on the order of events");
        }
        if RANDOM.contains(&name) {
            return Err(self
                .wrong(at, format!("{name} gives something else each time"))
                .hint("the same log must give the same answer"));
        }
        if NOW.contains(&name) {
            return Err(self
                .wrong(at, format!("{name} depends on when it is asked"))
                .hint("write the time itself, or use --from and --to: time >= '2026-05-01'"));
        }
        Ok(())
    }

    fn unknown(&self, name: &str, at: Place) -> Error {
        let known = || functions::names().chain(SPECIAL.iter().copied());
        let error = self.wrong(at, format!("{name} is no function that is known here"));
        match nearest(name, known()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("docs/sql.md lists the functions"),
        }
    }

    /// A function of the table.
    fn plain(&mut self, name: &str, arguments: &[&Expr], at: Place) -> Result<Kind> {
        let function = functions::find(name).ok_or_else(|| self.unknown(name, at))?;
        self.count(name, arguments.len(), function.least, function.most(), at)?;
        let nodes = arguments.iter().enumerate().map(|(place, value)| self.argument(function, place, value));
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        Ok(Kind::Call(function, nodes))
    }

    /// An argument; one that must be known beforehand is checked.
    fn argument(&mut self, function: &'static Function, place: usize, value: &Expr) -> Result<Node> {
        let at = start(value);
        let text = match function.fixed.iter().find(|(fixed, _)| *fixed == place) {
            None => return self.node(value),
            Some((_, Fixed::Group)) => {
                let node = self.node(value)?;
                return match node.kind {
                    Kind::Literal(Literal::Whole(0..100)) => Ok(node),
                    _ => Err(self.wrong(at, "the number of a group must stand there as a number from 0")),
                };
            }
            Some((_, Fixed::Regex)) => self.regex(value, "")?,
            Some((_, Fixed::Replacement)) => replacement(&self.fixed_text(value, "what replaces the pattern")?),
            Some((_, Fixed::Unit)) => {
                let unit = self.fixed_text(value, "a unit of time")?.to_ascii_lowercase();
                if !functions::UNITS.contains(&unit.as_str()) {
                    let known = functions::UNITS.join(", ");
                    return Err(self
                        .wrong(at, format!("{unit:?} is not a unit of time"))
                        .hint(format!("known are {known}")));
                }
                unit
            }
            Some((_, Fixed::Format)) => {
                let format = self.fixed_text(value, "a format")?;
                if chrono::format::StrftimeItems::new(&format).any(|item| item == chrono::format::Item::Error) {
                    return Err(self
                        .wrong(at, format!("{format:?} is not a format"))
                        .hint("use strftime's signs: '%Y-%m'"));
                }
                format
            }
        };
        Ok(Node { at, kind: Kind::Literal(Literal::Text(text)) })
    }

    /// A function of the table with arguments that have been read.
    pub(super) fn call(&mut self, name: &str, nodes: Vec<Node>, at: Place) -> Result<Kind> {
        let function = functions::find(name).ok_or_else(|| self.unknown(name, at))?;
        self.count(name, nodes.len(), function.least, function.most(), at)?;
        Ok(Kind::Call(function, nodes))
    }

    fn count(&self, name: &str, given: usize, least: usize, most: usize, at: Place) -> Result<()> {
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let wanted = match (least, most) {
            (_, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            _ => format!("{least} to {most}"),
        };
        let plural = if wanted == "1" { "" } else { "s" };
        Err(self.wrong(at, format!("{name} takes {wanted} argument{plural}, not {given}")))
    }

    fn special(&mut self, name: &str, arguments: &[&Expr], at: Place) -> Result<Kind> {
        let (least, most) = match name {
            "COALESCE" | "GREATEST" | "LEAST" => (1, usize::MAX),
            "IF" | "IIF" | "IFF" => (2, 3),
            "REGEXP_LIKE" | "REGEXP_MATCHES" => (2, 3),
            _ => (2, 2),
        };
        self.count(name, arguments.len(), least, most, at)?;
        if let "REGEXP_LIKE" | "REGEXP_MATCHES" = name {
            let flags = arguments.get(2).map_or(Ok(String::new()), |flags| self.flags(flags))?;
            let test = TextTest::Matches(self.regex(arguments[1], &flags)?);
            return Ok(Kind::Text(test, self.boxed(arguments[0])?));
        }
        if name == "DATE_PART" {
            let part = self.fixed_text(arguments[0], "a part of a time")?;
            let time = self.node(arguments[1])?;
            return self.part(&part, time, at);
        }
        let mut nodes = arguments.iter().map(|value| self.node(value)).collect::<Result<Vec<_>>>()?;
        let null = Node { at, kind: Kind::Literal(Literal::Null) };
        Ok(match name {
            "GREATEST" => Kind::Extreme(nodes, true),
            "LEAST" => Kind::Extreme(nodes, false),
            "COALESCE" | "IFNULL" | "NVL" => Kind::Coalesce(nodes),
            "NULLIF" => {
                let other = nodes.remove(1);
                Kind::NullIf(Box::new(nodes.remove(0)), Box::new(other))
            }
            _ => {
                let otherwise = if nodes.len() == 3 { nodes.remove(2) } else { null };
                let value = nodes.remove(1);
                Kind::Case(Box::new(Case { operand: None, cases: vec![(nodes.remove(0), value)], otherwise }))
            }
        })
    }

    /// The flags of a regular expression, as they are written inside of it.
    fn flags(&self, flags: &Expr) -> Result<String> {
        let text = self.fixed_text(flags, "the flags of a pattern")?;
        match text.chars().find(|flag| !"ims".contains(*flag)) {
            None if text.is_empty() => Ok(String::new()),
            None => Ok(format!("(?{text})")),
            Some(flag) => {
                let message = format!("{flag:?} is no flag of a regular expression");
                Err(self.wrong(start(flags), message).hint("known are i (ignore case), m (lines) and s"))
            }
        }
    }

    /// What the grammar has a form of its own for: `EXTRACT(hour FROM time)`, `TRIM(BOTH '/' FROM page)`.
    pub(super) fn special_call(&mut self, expression: &Expr, at: Place) -> Result<Kind> {
        match expression {
            Expr::Extract { field, expr, .. } => {
                let time = self.node(expr)?;
                self.part(&field.to_string(), time, at)
            }
            Expr::Ceil { expr, field } => self.rounded("CEIL", expr, field, at),
            Expr::Floor { expr, field } => self.rounded("FLOOR", expr, field, at),
            Expr::Position { expr, r#in } => {
                let nodes = vec![self.node(r#in)?, self.node(expr)?];
                self.call("STRPOS", nodes, at)
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let parts = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
                let nodes = parts.into_iter().flatten().map(|part| self.node(part)).collect::<Result<Vec<_>>>()?;
                self.call("SUBSTR", nodes, at)
            }
            Expr::Trim { expr, trim_where, trim_what, trim_characters } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "LTRIM",
                    Some(TrimWhereField::Trailing) => "RTRIM",
                    Some(TrimWhereField::Both) | None => "TRIM",
                };
                let characters = trim_characters.iter().flatten().chain(trim_what.as_deref());
                let parts: Vec<&Expr> = std::iter::once(&**expr).chain(characters).collect();
                let nodes = parts.into_iter().map(|part| self.node(part)).collect::<Result<Vec<_>>>()?;
                self.call(name, nodes, at)
            }
            other => Err(self.refused(other, at)),
        }
    }

    fn rounded(&mut self, name: &str, value: &Expr, field: &CeilFloorKind, at: Place) -> Result<Kind> {
        if *field != CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) {
            return Err(self.wrong(at, format!("{name} takes one argument")));
        }
        let node = self.node(value)?;
        self.call(name, vec![node], at)
    }

    /// A part of a time.
    fn part(&mut self, part: &str, time: Node, at: Place) -> Result<Kind> {
        let lower = part.to_ascii_lowercase();
        let Some((_, name)) = functions::PARTS.iter().find(|(known, _)| *known == lower) else {
            let known: Vec<&str> = functions::PARTS.iter().map(|(known, _)| *known).collect();
            let error = self.wrong(at, format!("{part:?} is no part of a time that is known here"));
            return Err(error.hint(format!("known are {}", known.join(", "))));
        };
        self.call(name, vec![time], at)
    }
}

/// The replacement of a pattern in the signs of the regex crate: `\1` is its `${1}`, and `$` is no sign.
fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, signs.peek()) {
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str(&format!("${{{digit}}}"));
                signs.next();
            }
            ('\\', Some('\\')) => {
                out.push('\\');
                signs.next();
            }
            ('$', _) => out.push_str("$$"),
            (sign, _) => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_as_sql_names_them() {
        assert_eq!(replacement(r"\1-$1\\"), r"${1}-$$1\");
    }
}
