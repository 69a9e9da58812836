//! What random schemas are made of: items under numbers, which refer to each other by number, so that a name may change
//! or change hands and the rest still stands.

use std::collections::BTreeMap;

/// The number of an item. Both states of a case use the same number for what is the same thing to whoever edits.
pub(crate) type Id = u32;

/// The schema `public`.
pub(crate) const PUBLIC: Id = 0;

/// One state of a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) items: BTreeMap<Id, Item>,
}

/// The states before and after.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) old: State,
    pub(crate) new: State,
}

/// Anything with a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) name: String,
    /// The schema, or the table of a part; a schema is its own home.
    pub(crate) home: Id,
    pub(crate) comment: Option<String>,
    pub(crate) body: Body,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Schema,
    Collation {
        locale: &'static str,
    },
    Enum {
        values: Vec<String>,
    },
    Domain {
        base: Ty,
        default: bool,
        not_null: bool,
        checks: Vec<(String, u8)>,
    },
    Composite {
        attributes: Vec<(String, Ty)>,
    },
    Range {
        subtype: Ty,
        multirange: Option<String>,
    },
    Sequence {
        options: Numbers,
        owner: Option<Id>,
    },
    Table {
        unlogged: bool,
        fillfactor: Option<u8>,
        gap: bool,
    },
    Column(Column),
    Primary(Unique),
    Unique(Unique),
    Check {
        expr: Expr,
        not_valid: bool,
        no_inherit: bool,
    },
    Exclusion {
        columns: Vec<Id>,
        predicate: Option<Expr>,
        deferral: u8,
    },
    ForeignKey(ForeignKey),
    Index(Index),
}

/// A column's own attributes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) ty: Ty,
    pub(crate) collation: Option<Id>,
    pub(crate) not_null: bool,
    pub(crate) value: Value,
    pub(crate) storage: Option<&'static str>,
    pub(crate) compression: Option<&'static str>,
    pub(crate) statistics: Option<u16>,
}

/// Where the values of a column come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    /// One of the constants of the type's family.
    Default(u8),
    Next(Id),
    Serial,
    Identity {
        always: bool,
        options: Numbers,
    },
    Generated(Expr),
}

/// A type: one of the server's, or one of the items, or an array of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ty {
    pub(crate) base: Base,
    pub(crate) array: bool,
}

/// What a type is without its brackets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Base {
    /// A place in `PLAIN`.
    Plain(usize),
    User(Id),
}

/// The options of a sequence that differ from the defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) small: bool,
    pub(crate) start: Option<i32>,
    pub(crate) increment: Option<i32>,
    pub(crate) max: Option<i32>,
    pub(crate) cache: Option<u8>,
    pub(crate) cycle: bool,
}

/// An expression over columns of one table; what it says follows the columns' types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expr {
    pub(crate) columns: Vec<Id>,
    pub(crate) shape: u8,
}

/// The columns of a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unique {
    pub(crate) columns: Vec<Id>,
    pub(crate) include: Vec<Id>,
    pub(crate) deferral: u8,
    pub(crate) nulls_not_distinct: bool,
    pub(crate) fillfactor: Option<u8>,
}

/// A foreign key, to the columns of a key or a unique index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ForeignKey {
    pub(crate) columns: Vec<Id>,
    pub(crate) target: Id,
    pub(crate) on_delete: u8,
    pub(crate) on_update: u8,
    pub(crate) full: bool,
    pub(crate) deferral: u8,
    pub(crate) not_valid: bool,
}

/// An index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Index {
    pub(crate) unique: bool,
    pub(crate) method: &'static str,
    pub(crate) elements: Vec<Element>,
    pub(crate) include: Vec<Id>,
    pub(crate) predicate: Option<Expr>,
    pub(crate) nulls_not_distinct: bool,
    pub(crate) fillfactor: Option<u8>,
}

/// A column of an index, or an expression over it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Element {
    pub(crate) column: Id,
    pub(crate) expression: bool,
    pub(crate) collation: Option<Id>,
    pub(crate) pattern: bool,
    pub(crate) descending: bool,
    pub(crate) nulls_other: bool,
}

/// What can be said about values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Text,
    Int,
    Number,
    Bool,
    Enum(Id),
    Range,
    Json,
    Array,
    Other,
}

/// A type of the server: its name, its family, whether btree can sort it, and constants for it.
pub(crate) struct Plain {
    pub(crate) sql: &'static str,
    pub(crate) family: Family,
    pub(crate) sorted: bool,
    pub(crate) constants: [&'static str; 3],
}

const fn plain(
    sql: &'static str,
    family: Family,
    sorted: bool,
    constants: [&'static str; 3],
) -> Plain {
    Plain {
        sql,
        family,
        sorted,
        constants,
    }
}

/// The types of the server that columns are of. The first is what a column becomes whose type is gone.
pub(crate) const PLAIN: &[Plain] = &[
    plain("text", Family::Text, true, ["'a'", "'it''s'", "upper('b')"]),
    plain("integer", Family::Int, true, ["0", "-7", "1 + 2"]),
    plain("varchar(20)", Family::Text, true, ["'x'", "''", "NULL"]),
    plain(
        "bigint",
        Family::Int,
        true,
        ["9000000000", "1", "length('abc')"],
    ),
    plain(
        "timestamptz",
        Family::Other,
        true,
        ["now()", "CURRENT_TIMESTAMP", "'2020-02-02 00:00+00'"],
    ),
    plain(
        "boolean",
        Family::Bool,
        true,
        ["true", "false", "(NOT true)"],
    ),
    plain("numeric(10,2)", Family::Number, true, ["0", "1.5", "'-3'"]),
    plain(
        "jsonb",
        Family::Json,
        true,
        ["'{}'", "'[1, 2]'", "jsonb_build_object('a', 1)"],
    ),
    plain(
        "uuid",
        Family::Other,
        true,
        [
            "gen_random_uuid()",
            "'5c6ee5a0-0b3c-4d6e-8f0e-0d8f2f0a8f00'",
            "NULL",
        ],
    ),
    plain("smallint", Family::Int, true, ["1", "0", "'3'"]),
    plain(
        "varchar",
        Family::Text,
        true,
        ["'v'", "'two words'", "current_user"],
    ),
    plain("char(5)", Family::Text, true, ["'c'", "'abcde'", "''"]),
    plain("numeric", Family::Number, true, ["1", "1e10", "random()"]),
    plain("real", Family::Number, true, ["1.25", "0", "'NaN'"]),
    plain(
        "double precision",
        Family::Number,
        true,
        ["0.5", "-1", "pi()"],
    ),
    plain(
        "date",
        Family::Other,
        true,
        ["CURRENT_DATE", "'2020-02-02'", "now()"],
    ),
    plain(
        "timestamp",
        Family::Other,
        true,
        ["now()", "'2020-02-02'", "timezone('utc', now())"],
    ),
    plain(
        "timestamp(3)",
        Family::Other,
        true,
        ["LOCALTIMESTAMP", "'2020-02-02'", "now()"],
    ),
    plain(
        "time",
        Family::Other,
        true,
        ["'12:00'", "LOCALTIME", "'00:00:01'"],
    ),
    plain(
        "timetz",
        Family::Other,
        true,
        ["'12:00+01'", "CURRENT_TIME", "'00:00:01+00'"],
    ),
    plain(
        "interval",
        Family::Other,
        true,
        ["'1 day'", "'24 hours'", "make_interval(days => 1)"],
    ),
    plain(
        "interval hour to minute",
        Family::Other,
        true,
        ["'1:30'", "'0'", "NULL"],
    ),
    plain(
        "json",
        Family::Json,
        false,
        ["'{}'", "'[1,  2]'", "to_json(1)"],
    ),
    plain(
        "bytea",
        Family::Other,
        true,
        ["'\\x00'", "''", "decode('00', 'hex')"],
    ),
    plain(
        "inet",
        Family::Other,
        true,
        ["'127.0.0.1'", "'::1'", "inet_client_addr()"],
    ),
    plain(
        "cidr",
        Family::Other,
        true,
        ["'10.0.0.0/8'", "'::/0'", "NULL"],
    ),
    plain(
        "macaddr",
        Family::Other,
        true,
        ["'08:00:2b:01:02:03'", "NULL", "NULL"],
    ),
    plain(
        "point",
        Family::Other,
        false,
        ["'(0,0)'", "point(1, 2)", "NULL"],
    ),
    plain(
        "bit(8)",
        Family::Other,
        true,
        ["B'00000001'", "B'11111111'", "7::bit(8)"],
    ),
    plain(
        "bit varying(9)",
        Family::Other,
        true,
        ["B'0'", "B'1'", "NULL"],
    ),
    plain(
        "tsvector",
        Family::Other,
        true,
        ["''", "to_tsvector('simple', 'a b')", "NULL"],
    ),
    plain(
        "int4range",
        Family::Range,
        true,
        ["'[1,5)'", "int4range(1, 3)", "'empty'"],
    ),
    plain(
        "tstzrange",
        Family::Range,
        true,
        ["'(,)'", "tstzrange(now(), NULL)", "'empty'"],
    ),
    plain(
        "daterange",
        Family::Range,
        true,
        ["'[2020-01-01,)'", "'empty'", "NULL"],
    ),
    plain("money", Family::Other, true, ["'1.50'", "0", "NULL"]),
    plain("xml", Family::Other, false, ["'<a/>'", "NULL", "NULL"]),
    plain("oid", Family::Other, true, ["0", "1", "NULL"]),
    plain(
        "name",
        Family::Other,
        true,
        ["'n'", "current_user", "current_schema()"],
    ),
    plain("\"char\"", Family::Other, true, ["'x'", "'y'", "NULL"]),
];

impl Ty {
    pub(crate) const TEXT: Self = Self {
        base: Base::Plain(0),
        array: false,
    };
    pub(crate) const INT: Self = Self {
        base: Base::Plain(1),
        array: false,
    };

    /// The item that it is of.
    pub(crate) fn user(&self) -> Option<Id> {
        match self.base {
            Base::User(it) => Some(it),
            Base::Plain(_) => None,
        }
    }
}

impl Body {
    /// The types written in it.
    pub(crate) fn types(&mut self) -> Vec<&mut Ty> {
        match self {
            Self::Domain { base, .. } => vec![base],
            Self::Composite { attributes } => attributes.iter_mut().map(|(_, ty)| ty).collect(),
            Self::Range { subtype, .. } => vec![subtype],
            Self::Column(it) => vec![&mut it.ty],
            _ => Vec::new(),
        }
    }

    /// Whether it is a part of a table.
    pub(crate) fn is_part(&self) -> bool {
        matches!(
            self,
            Self::Column(_)
                | Self::Primary(_)
                | Self::Unique(_)
                | Self::Check { .. }
                | Self::Exclusion { .. }
                | Self::ForeignKey(_)
                | Self::Index(_)
        )
    }

    /// Whether columns can be of it.
    pub(crate) fn is_type(&self) -> bool {
        matches!(
            self,
            Self::Enum { .. } | Self::Domain { .. } | Self::Composite { .. } | Self::Range { .. }
        )
    }

    /// Whether it is a constraint of a table.
    pub(crate) fn is_constraint(&self) -> bool {
        self.is_part() && !matches!(self, Self::Column(_) | Self::Index(_))
    }

    /// Its lists of columns, in the order in which they matter.
    pub(crate) fn column_lists(&mut self) -> Vec<&mut Vec<Id>> {
        match self {
            Self::Primary(it) | Self::Unique(it) => vec![&mut it.columns, &mut it.include],
            Self::Check { expr, .. } => vec![&mut expr.columns],
            Self::Exclusion {
                columns, predicate, ..
            } => std::iter::once(columns)
                .chain(predicate.as_mut().map(|it| &mut it.columns))
                .collect(),
            Self::ForeignKey(it) => vec![&mut it.columns],
            _ => Vec::new(),
        }
    }
}

impl State {
    pub(crate) fn get(&self, id: Id) -> Option<&Item> {
        self.items.get(&id)
    }

    /// The items whose home this is.
    pub(crate) fn parts(&self, home: Id) -> impl Iterator<Item = (Id, &Item)> {
        self.items
            .iter()
            .filter(move |(id, it)| it.home == home && **id != home)
            .map(|(id, it)| (*id, it))
    }

    pub(crate) fn column(&self, id: Id) -> Option<&Column> {
        match &self.get(id)?.body {
            Body::Column(it) => Some(it),
            _ => None,
        }
    }

    /// The columns of a table.
    pub(crate) fn columns(&self, table: Id) -> Vec<Id> {
        self.parts(table)
            .filter(|(_, it)| matches!(it.body, Body::Column(_)))
            .map(|(id, _)| id)
            .collect()
    }

    /// The items that pass, by number.
    pub(crate) fn ids(&self, passes: impl Fn(&Body) -> bool) -> Vec<Id> {
        self.items
            .iter()
            .filter(|(_, it)| passes(&it.body))
            .map(|(id, _)| *id)
            .collect()
    }

    /// What can be said about values of a type; through its domains.
    pub(crate) fn family(&self, ty: &Ty) -> Family {
        if ty.array {
            return Family::Array;
        }
        match ty.base {
            Base::Plain(it) => PLAIN[it].family,
            Base::User(id) => match self.get(id).map(|it| &it.body) {
                Some(Body::Enum { .. }) => Family::Enum(id),
                Some(Body::Domain { base, .. }) => self.family(base),
                Some(Body::Range { .. }) => Family::Range,
                _ => Family::Other,
            },
        }
    }

    /// Whether btree can sort values of a type.
    pub(crate) fn is_sorted(&self, ty: &Ty) -> bool {
        match ty.base {
            Base::Plain(it) => PLAIN[it].sorted,
            Base::User(id) => match self.get(id).map(|it| &it.body) {
                Some(Body::Domain { base, .. }) => self.is_sorted(base),
                Some(Body::Composite { attributes }) => {
                    attributes.iter().all(|(_, ty)| self.is_sorted(ty))
                }
                Some(Body::Enum { .. } | Body::Range { .. }) => true,
                _ => false,
            },
        }
    }

    /// Whether the type is one of text, through its domains and brackets, so that it takes a collation.
    pub(crate) fn is_collatable(&self, ty: &Ty) -> bool {
        let element = Ty {
            array: false,
            ..ty.clone()
        };
        self.family(&element) == Family::Text
    }

    /// Whether one type is built of another, itself included.
    pub(crate) fn reaches(&self, from: Id, to: Id) -> bool {
        let of = |ty: &Ty| ty.user().is_some_and(|it| self.reaches(it, to));
        from == to
            || match self.get(from).map(|it| &it.body) {
                Some(Body::Domain { base, .. }) => of(base),
                Some(Body::Composite { attributes }) => attributes.iter().any(|(_, ty)| of(ty)),
                Some(Body::Range { subtype, .. }) => of(subtype),
                _ => false,
            }
    }

    /// The columns that a foreign key can refer to through this part: those of a key, or of a plain unique index.
    pub(crate) fn referenced(&self, part: Id) -> Option<(Id, Vec<Id>)> {
        let item = self.get(part)?;
        let columns = match &item.body {
            Body::Primary(it) | Body::Unique(it) if it.deferral == 0 => it.columns.clone(),
            Body::Index(it)
                if it.unique
                    && it.predicate.is_none()
                    && it.elements.iter().all(|it| !it.expression && !it.pattern) =>
            {
                it.elements.iter().map(|it| it.column).collect()
            }
            _ => return None,
        };
        Some((item.home, columns))
    }
}
