//! Random items and random states.

use proptest::prelude::Rng;
use proptest::test_runner::TestRng;

use crate::model::{
    Base, Body, Column, Element, Expr, ForeignKey, Id, Index, Item, Numbers, PLAIN, PUBLIC, State,
    Ty, Unique, Value,
};
use crate::valid::settle;

/// Names that are easily written wrongly, besides plain ones, and names that PostgreSQL gives by itself.
const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "account",
    "invoice",
    "t_a_key",
    "a_pkey",
    "account_a_idx",
    "a_b_fkey",
    "a_a_seq",
    "Mixed",
    "mixed",
    "two words",
    "quo\"te",
    "do.t",
    "it's",
    "select",
    "user",
    "order",
    "table",
    "Größe",
    "日本",
    "text",
    "int4",
    "value",
    "$1",
    "a_name_of_sixty_three_bytes_exactly_as_many_as_postgresql_keeps",
    "ééééééééééééééééééééééééééééééé",
    "100%",
    "_a",
    "A",
    "back\\slash",
];

const COMMENTS: &[&str] = &["a comment", "it's; -- two\nlines", "", "ünï"];

const LOCALES: &[&str] = &[
    "locale = 'C'",
    "locale = 'POSIX'",
    "provider = icu, locale = 'de'",
    "provider = icu, locale = 'und'",
    "provider = icu, locale = 'und-u-ks-level2', deterministic = false",
];

/// Chance, on a generator of proptest's.
pub(crate) struct Dice<'a> {
    pub(crate) rng: &'a mut TestRng,
    pub(crate) major: u32,
    pub(crate) next: Id,
}

impl Dice<'_> {
    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.rng.next_u64() % u64::try_from(n.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// True as often in a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn small(&mut self) -> u8 {
        u8::try_from(self.below(12)).unwrap_or(0)
    }

    pub(crate) fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() {
            None
        } else {
            Some(all[self.below(all.len())].clone())
        }
    }

    fn maybe<T>(&mut self, percent: usize, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| value(self))
    }

    pub(crate) fn name(&mut self) -> String {
        NAMES[self.below(NAMES.len())].to_owned()
    }

    pub(crate) fn comment(&mut self) -> Option<String> {
        self.maybe(12, |it| COMMENTS[it.below(COMMENTS.len())].to_owned())
            .filter(|it| !it.is_empty())
    }

    fn fillfactor(&mut self) -> Option<u8> {
        self.maybe(8, |it| 50 + it.small() * 2)
    }

    fn deferral(&mut self) -> u8 {
        if self.chance(75) {
            0
        } else {
            1 + self.small() % 2
        }
    }

    pub(crate) fn numbers(&mut self) -> Numbers {
        let down = self.chance(10);
        Numbers {
            small: self.chance(20),
            start: self
                .maybe(20, |it| it.below(90) as i32 + 1)
                .map(|it| if down { -it } else { it }),
            increment: if down {
                Some(-2)
            } else {
                self.maybe(20, |it| it.below(5) as i32 + 1)
            },
            max: if down {
                None
            } else {
                self.maybe(20, |it| 100 + it.below(1000) as i32)
            },
            cache: self.maybe(15, |it| 2 + it.small()),
            cycle: self.chance(15),
        }
    }

    /// A type: mostly one of the server's, and of those mostly the first.
    pub(crate) fn ty(&mut self, state: &State) -> Ty {
        let types = state.ids(Body::is_type);
        let base = match self.pick(&types) {
            Some(id) if self.chance(35) => Base::User(id),
            _ if self.chance(50) => Base::Plain(self.below(6)),
            _ => Base::Plain(self.below(PLAIN.len())),
        };
        Ty {
            base,
            array: self.chance(12),
        }
    }

    pub(crate) fn some(&mut self, all: &[Id], most: usize) -> Vec<Id> {
        let n = 1 + self.below(most);
        (0..n).filter_map(|_| self.pick(all)).collect()
    }

    pub(crate) fn expr(&mut self, columns: &[Id]) -> Expr {
        Expr {
            columns: self.some(columns, 2),
            shape: self.small(),
        }
    }

    pub(crate) fn values(&mut self) -> Vec<String> {
        const VALUES: &[&str] = &[
            "new",
            "open",
            "it's",
            "In Progress",
            "done",
            "ü",
            "x",
            "NEW",
            "a, b",
        ];
        let n = 1 + self.below(4);
        let from = self.below(VALUES.len());
        (0..n)
            .map(|it| VALUES[(from + it) % VALUES.len()].to_owned())
            .collect()
    }

    pub(crate) fn value(&mut self, state: &State, table: Id) -> Value {
        match self.below(20) {
            0..=5 => Value::Default(self.small()),
            6 => self
                .pick(&state.ids(|it| matches!(it, Body::Sequence { .. })))
                .map_or(Value::None, Value::Next),
            7 => Value::Serial,
            8 | 9 => Value::Identity {
                always: self.chance(50),
                options: Numbers {
                    small: false,
                    ..self.numbers()
                },
            },
            10 | 11 => Value::Generated(self.expr(&state.columns(table))),
            _ => Value::None,
        }
    }

    pub(crate) fn column(&mut self, state: &State, table: Id) -> Column {
        let value = self.value(state, table);
        let ty = match value {
            Value::Serial | Value::Identity { .. } | Value::Next(_) => Ty {
                base: Base::Plain(self.pick(&[1, 1, 3, 9]).unwrap_or(1)),
                array: false,
            },
            Value::Generated(_) => Ty {
                base: Base::Plain(self.pick(&[0, 1, 5, 3]).unwrap_or(1)),
                array: false,
            },
            _ => self.ty(state),
        };
        let collation = self.pick(&state.ids(|it| matches!(it, Body::Collation { .. })));
        Column {
            ty,
            collation: collation.filter(|_| self.chance(40)),
            not_null: self.chance(30),
            value,
            storage: self.maybe(6, |it| ["EXTERNAL", "MAIN", "PLAIN"][it.below(3)]),
            compression: self.maybe(5, |_| "pglz"),
            statistics: self.maybe(5, |it| 10 * u16::from(it.small() + 1)),
        }
    }

    pub(crate) fn unique(&mut self, columns: &[Id]) -> Unique {
        Unique {
            columns: self.some(columns, 2),
            include: if self.chance(12) {
                self.some(columns, 2)
            } else {
                Vec::new()
            },
            deferral: self.deferral(),
            nulls_not_distinct: self.chance(10),
            fillfactor: self.fillfactor(),
        }
    }

    pub(crate) fn element(&mut self, state: &State, column: Id) -> Element {
        let collation = self.pick(&state.ids(|it| matches!(it, Body::Collation { .. })));
        Element {
            column,
            expression: self.chance(20),
            collation: collation.filter(|_| self.chance(25)),
            pattern: self.chance(10),
            descending: self.chance(20),
            nulls_other: self.chance(15),
        }
    }

    pub(crate) fn index(&mut self, state: &State, columns: &[Id]) -> Index {
        Index {
            unique: self.chance(30),
            method: ["btree", "btree", "btree", "hash", "gin", "gist", "brin"][self.below(7)],
            elements: self
                .some(columns, 3)
                .into_iter()
                .map(|it| self.element(state, it))
                .collect(),
            include: if self.chance(12) {
                self.some(columns, 2)
            } else {
                Vec::new()
            },
            predicate: self.maybe(25, |it| it.expr(columns)),
            nulls_not_distinct: self.chance(10),
            fillfactor: self.fillfactor(),
        }
    }

    /// A foreign key from a table to some key, with columns of its own made for it where none suits.
    fn foreign_key(&mut self, state: &mut State, table: Id) -> Option<ForeignKey> {
        let keys: Vec<Id> = state
            .items
            .keys()
            .copied()
            .filter(|it| state.referenced(*it).is_some())
            .collect();
        let target = self.pick(&keys)?;
        let (_, referenced) = state.referenced(target)?;
        let mut columns = Vec::new();
        for it in referenced {
            let ty = state.column(it)?.ty.clone();
            let alike: Vec<Id> = state
                .columns(table)
                .into_iter()
                .filter(|it| {
                    !columns.contains(it) && state.column(*it).is_some_and(|it| it.ty == ty)
                })
                .collect();
            columns.push(match self.pick(&alike) {
                Some(it) => it,
                None => {
                    let column = Column {
                        ty,
                        value: Value::None,
                        collation: None,
                        storage: None,
                        compression: None,
                        ..self.column(state, table)
                    };
                    self.add(state, table, Body::Column(column))
                }
            });
        }
        Some(ForeignKey {
            columns,
            target,
            on_delete: if self.chance(60) { 0 } else { self.small() },
            on_update: if self.chance(75) { 0 } else { self.small() },
            full: self.chance(10),
            deferral: self.deferral(),
            not_valid: self.chance(10),
        })
    }

    pub(crate) fn add(&mut self, state: &mut State, home: Id, body: Body) -> Id {
        let id = self.next;
        self.next += 1;
        let (name, comment) = (self.name(), self.comment());
        state.items.insert(
            id,
            Item {
                name,
                home,
                comment,
                body,
            },
        );
        id
    }

    /// Adds a random part to a table.
    pub(crate) fn add_part(&mut self, state: &mut State, table: Id) {
        let columns = state.columns(table);
        let body = match self.below(12) {
            0..=2 => Body::Index(self.index(state, &columns)),
            3 | 4 => Body::Primary(self.unique(&columns)),
            5 | 6 => Body::Unique(self.unique(&columns)),
            7 | 8 => Body::Check {
                expr: self.expr(&columns),
                not_valid: self.chance(10),
                no_inherit: self.chance(10),
            },
            9 => Body::Exclusion {
                columns: self.some(&columns, 2),
                predicate: self.maybe(30, |it| it.expr(&columns)),
                deferral: self.deferral(),
            },
            _ => match self.foreign_key(state, table) {
                Some(it) => Body::ForeignKey(it),
                None => return,
            },
        };
        self.add(state, table, body);
    }

    /// Adds a random object to a schema: a type, a sequence, a collation.
    pub(crate) fn add_object(&mut self, state: &mut State) -> Id {
        let home = self.home(state);
        let body = match self.below(12) {
            0..=2 => Body::Enum {
                values: self.values(),
            },
            3 | 4 => {
                let checks = (0..self.below(3))
                    .map(|n| {
                        (
                            format!("{} {n}", self.name().chars().take(9).collect::<String>()),
                            self.small(),
                        )
                    })
                    .collect();
                Body::Domain {
                    base: self.ty(state),
                    default: self.chance(25),
                    not_null: self.chance(20),
                    checks,
                }
            }
            5 | 6 => {
                let n = 1 + self.below(3);
                Body::Composite {
                    attributes: (0..n)
                        .map(|n| (["x", "Y", "z z"][n].to_owned(), self.ty(state)))
                        .collect(),
                }
            }
            7 => Body::Range {
                subtype: self.ty(state),
                multirange: self.maybe(30, |it| {
                    format!("{}s", it.name().chars().take(20).collect::<String>())
                }),
            },
            8 => Body::Collation {
                locale: self.locale(),
            },
            _ => {
                let owner = self.pick(&state.ids(|it| matches!(it, Body::Column(_))));
                Body::Sequence {
                    options: self.numbers(),
                    owner: owner.filter(|_| self.chance(30)),
                }
            }
        };
        self.add(state, home, body)
    }

    pub(crate) fn locale(&mut self) -> &'static str {
        LOCALES[self.below(LOCALES.len())]
    }

    pub(crate) fn home(&mut self, state: &State) -> Id {
        let schemas = state.ids(|it| matches!(it, Body::Schema));
        if self.chance(60) {
            PUBLIC
        } else {
            self.pick(&schemas).unwrap_or(PUBLIC)
        }
    }

    pub(crate) fn add_table(&mut self, state: &mut State) -> Id {
        let home = self.home(state);
        let body = Body::Table {
            unlogged: self.chance(8),
            fillfactor: self.fillfactor(),
            gap: self.chance(10),
        };
        let table = self.add(state, home, body);
        for _ in 0..=self.below(4) {
            let column = self.column(state, table);
            self.add(state, table, Body::Column(column));
        }
        for _ in 0..self.below(4) {
            self.add_part(state, table);
        }
        table
    }

    /// A state of a few schemas, types and tables.
    pub(crate) fn state(&mut self) -> State {
        let mut state = State::default();
        let public = Item {
            name: "public".into(),
            home: PUBLIC,
            comment: Some("standard public schema".into()),
            body: Body::Schema,
        };
        state.items.insert(PUBLIC, public);
        if self.chance(50) {
            self.add(&mut state, PUBLIC, Body::Schema);
        }
        for _ in 0..self.below(5) {
            self.add_object(&mut state);
        }
        for _ in 0..self.below(4) {
            self.add_table(&mut state);
        }
        // Objects that come late may use what the tables have.
        for _ in 0..self.below(2) {
            self.add_object(&mut state);
        }
        settle(&mut state, self.major);
        state
    }
}
