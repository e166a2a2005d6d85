//! Where a visit came from: its source, its medium and its campaign.

use super::{Role, Roles, find, list};
use crate::error::{Error, Result};

/// A dimension that is the column of a role, whatever that is called, or where there is none a parameter of the page's URL.
pub struct Touch {
    /// Its name among the dimensions.
    pub dimension: &'static str,
    /// The role of its column.
    pub role: Role,
    parameter: &'static str,
}

/// Source, medium and campaign.
pub const TOUCHES: [Touch; 3] = [
    Touch { dimension: "first_channel", role: Role::Source, parameter: "utm_source" },
    Touch { dimension: "first_medium", role: Role::Medium, parameter: "utm_medium" },
    Touch { dimension: "first_campaign", role: Role::Campaign, parameter: "utm_campaign" },
];

impl Touch {
    /// The one that is the dimension `name`, if it is one of the three.
    pub fn named(name: &str) -> Option<&'static Touch> {
        TOUCHES.iter().find(|touch| touch.dimension == name)
    }

    /// Its column in a file, or that of the pages and the parameter of their URLs that is meant.
    pub fn find(&self, columns: &[String], roles: &Roles) -> Result<Option<(usize, Option<&'static str>)>> {
        if let Some(column) = find(columns, roles, self.role)? {
            return Ok(Some((column, None)));
        }
        if roles.may_be_none(self.role) {
            return Ok(None);
        }
        Ok(find(columns, roles, Role::Page)?.map(|page| (page, Some(self.parameter))))
    }
}

/// Whether a file can have any of the three.
pub fn any(columns: &[String], roles: &Roles) -> Result<bool> {
    let found = TOUCHES.iter().map(|touch| touch.find(columns, roles)).collect::<Result<Vec<_>>>()?;
    Ok(found.iter().any(Option::is_some))
}

/// The error for a file that can have none of the three.
pub fn missing_campaign(columns: &[String]) -> Error {
    let columns = list(columns);
    Error::mapping(format!(
        "no column looks like the source, the medium or the campaign, nor like pages with utm_ parameters; the columns are {columns}"
    ))
    .hint("name one with --source, --medium or --campaign COLUMN, or leave --split-on-campaign out")
}
