"""Which columns of which tables a statement uses, read from PostgreSQL's own parse of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pglast import ast, parse_sql

Columns: TypeAlias = frozenset[str] | None
"""Names of a relation's columns; None where only the server knows them (its catalog)."""

_FUNCTIONS = {
    "jsonb_each": {"key", "value"},
    "jsonb_each_text": {"key", "value"},
    "pg_options_to_table": {"option_name", "option_value"},
}


@dataclass(frozen=True)
class Relation:
    """What a name stands for in a statement. `table`: the contract's, if it is one."""

    columns: Columns
    table: str | None = None


@dataclass
class Scope:
    """The relations that a part of a statement may name, and those of the parts around it."""

    around: "Scope | None" = None
    named: dict[str, Relation] = field(default_factory=dict)
    ctes: dict[str, Columns] = field(default_factory=dict)

    def cte(self, name: str) -> tuple[bool, Columns]:
        """Whether there is a WITH query of this name, and its columns."""
        if name in self.ctes:
            return True, self.ctes[name]
        return self.around.cte(name) if self.around else (False, None)


@dataclass
class Used:
    """What was found in a statement.

    columns : for each reference the tables' columns that it may mean.
    stars : tables of which all columns are selected.
    offset : whether it pages by OFFSET.
    """

    columns: set[frozenset[tuple[str, str]]] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    stars: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    offset: bool = False


def plain(text: str) -> str:
    """A statement with the parameters as the server numbers them."""
    numbers: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        return f"${numbers.setdefault(found[1] or str(len(numbers)), len(numbers) + 1)}"

    return re.sub(r"%%|%(?:\((\w+)\))?[sbt]", number, text)


def used_by(text: str, contract: Mapping[str, Iterable[str]]) -> Used:
    """What a statement uses of the contract's tables (name -> columns). It must parse."""
    reader = _Reader({name: frozenset(columns) for name, columns in contract.items()})
    for statement in parse_sql(plain(text)):
        reader.statement(statement.stmt, Scope())
    return reader.used


class _Reader:
    def __init__(self, contract: Mapping[str, frozenset[str]]) -> None:
        self.contract = contract
        self.used = Used()

    def statement(self, node: Any, around: Scope) -> Columns:
        """Read a statement or a query in parentheses; returns the columns of its result."""
        scope = Scope(around)
        self._with(getattr(node, "withClause", None), scope)
        match node:
            case ast.SelectStmt():
                return self._select(node, scope)
            case ast.InsertStmt() | ast.UpdateStmt() | ast.DeleteStmt():
                return self._change(node, scope)
            case ast.CopyStmt():
                self._written(self._range(node.relation, scope), [name.sval for name in node.attlist])
            case _:
                self._visit(node, scope)
        return frozenset()

    def _with(self, clause: Any, scope: Scope) -> None:
        for cte in clause.ctes if clause else ():
            names = frozenset(name.sval for name in cte.aliascolnames or ()) or None
            if clause.recursive:
                left = cte.ctequery.larg if isinstance(cte.ctequery, ast.SelectStmt) else None
                scope.ctes[cte.ctename] = names or (_named(left.targetList) if left else None)
            found = self.statement(cte.ctequery, scope)
            scope.ctes[cte.ctename] = names or found

    def _select(self, node: ast.SelectStmt, scope: Scope) -> Columns:
        self.used.offset |= _pages(node)
        if node.larg is not None:
            result = self.statement(node.larg, scope)
            self.statement(node.rarg, scope)
            scope.named[""] = Relation(result)
            self._visit((node.sortClause, node.limitCount), scope)
            return result
        if node.valuesLists:
            self._visit(node.valuesLists, scope)
            return frozenset(f"column{number + 1}" for number in range(len(node.valuesLists[0])))
        self._visit(node.fromClause, scope)
        self._visit((node.targetList, node.whereClause, node.havingClause, node.windowClause), scope)
        self._visit((node.distinctClause, node.limitCount, node.lockingClause), scope)
        result = self._result(node.targetList or (), scope)
        self._visit((node.sortClause, node.groupClause), Scope(scope, {"": Relation(_named(node.targetList or ()))}))
        return result

    def _change(self, node: Any, scope: Scope) -> Columns:
        target = self._range(node.relation, scope)
        match node:
            case ast.InsertStmt():
                self._written(target, [column.name for column in node.cols or ()])
                self._visit(node.selectStmt, Scope(scope.around, ctes=scope.ctes))
                conflict = node.onConflictClause
                if conflict is not None:
                    scope.named["excluded"] = target
                    elements = conflict.infer.indexElems if conflict.infer else ()
                    self._written(target, [element.name for element in elements or () if element.name])
                    self._written(target, _set(conflict.targetList))
                    self._visit((conflict.targetList, conflict.whereClause), scope)
            case ast.UpdateStmt():
                self._written(target, _set(node.targetList))
                self._visit((node.fromClause, node.targetList, node.whereClause), scope)
            case ast.DeleteStmt():
                self._visit((node.usingClause, node.whereClause), scope)
        returned = node.returningClause.exprs if node.returningClause else ()
        self._visit(returned, scope)
        return self._result(returned, scope)

    def _range(self, node: ast.RangeVar, scope: Scope) -> Relation:
        name = node.relname
        is_cte, columns = scope.cte(name)
        relation = Relation(columns)
        if not is_cte and name in self.contract:
            self.used.tables.add(name)
            relation = Relation(self.contract[name], name)
        elif not is_cte and not name.startswith("pg_"):
            self.used.problems.append(f"{name} is no table of the contract")
        alias = node.alias
        if alias is not None and alias.colnames:
            relation = Relation(frozenset(column.sval for column in alias.colnames))
        scope.named[alias.aliasname if alias else name] = relation
        return relation

    def _visit(self, node: Any, scope: Scope) -> None:
        match node:
            case tuple() | list():
                for part in node:
                    self._visit(part, scope)
            case ast.SelectStmt():
                self.statement(node, scope)
            case ast.RangeVar() | ast.RangeSubselect() | ast.RangeFunction() | ast.JoinExpr():
                self._source(node, scope)
            case ast.ColumnRef():
                self._column(node, scope)
            case ast.Node() if not isinstance(node, ast.LockingClause):
                for slot in node:
                    self._visit(getattr(node, slot), scope)

    def _source(self, node: Any, scope: Scope) -> None:
        """Part of a FROM: what it names is at hand from here on."""
        match node:
            case ast.RangeVar():
                self._range(node, scope)
            case ast.RangeSubselect():
                found = self.statement(node.subquery, scope)
                names = frozenset(name.sval for name in node.alias.colnames or ())
                scope.named[node.alias.aliasname] = Relation(names or found)
            case ast.RangeFunction():
                self._function(node, scope)
            case ast.JoinExpr():
                self._visit((node.larg, node.rarg), scope)
                for name in node.usingClause or ():
                    self._unqualified(name.sval, scope)
                self._visit(node.quals, scope)

    def _function(self, node: ast.RangeFunction, scope: Scope) -> None:
        self._visit(node.functions, scope)
        call = node.functions[0][0]
        function = call.funcname[-1].sval if isinstance(call, ast.FuncCall) else ""
        name = node.alias.aliasname if node.alias else function
        columns = frozenset(column.sval for column in (node.alias.colnames if node.alias else ()) or ())
        scope.named[name] = Relation(columns or frozenset(_FUNCTIONS.get(function, {name})))

    def _column(self, node: ast.ColumnRef, scope: Scope) -> None:
        *qualifier, last = node.fields
        relation = _relation(qualifier[-1].sval, scope) if qualifier else None
        if isinstance(last, ast.A_Star):
            starred = [relation] if relation else list(scope.named.values())
            self.used.stars |= {found.table for found in starred if found.table}
        elif not qualifier:
            self._unqualified(last.sval, scope)
        elif relation is None:
            self.used.problems.append(f"{qualifier[-1].sval}.{last.sval}: no such relation")
        else:
            self._written(relation, [last.sval])

    def _unqualified(self, name: str, scope: Scope) -> None:
        if name == "xmin":
            return  # each table has it
        inside: Scope | None = scope
        while inside is not None:
            having = [found for found in inside.named.values() if found.columns is None or name in found.columns]
            if having:
                meant = frozenset((found.table, name) for found in having if found.table)
                if len(meant) == len(having):
                    self.used.columns.add(meant)
                return
            if name in inside.named:
                return  # the whole row
            inside = inside.around
        self.used.problems.append(f"{name}: no relation at hand has it")

    def _written(self, relation: Relation, names: Iterable[str]) -> None:
        for name in names:
            if relation.columns is not None and name not in relation.columns:
                self.used.problems.append(f"{relation.table or 'a query'} has no {name}")
            elif relation.table:
                self.used.columns.add(frozenset({(relation.table, name)}))

    def _result(self, targets: Iterable[ast.ResTarget], scope: Scope) -> Columns:
        found: set[str] = set(_named(targets))
        for target in targets:
            if isinstance(target.val, ast.ColumnRef) and isinstance(target.val.fields[-1], ast.A_Star):
                *qualifier, _ = target.val.fields
                parts = [_relation(qualifier[-1].sval, scope)] if qualifier else list(scope.named.values())
                for part in parts:
                    if part is None or part.columns is None:
                        return None
                    found |= part.columns
        return frozenset(found)


def _relation(name: str, scope: Scope | None) -> Relation | None:
    while scope is not None:
        if name in scope.named:
            return scope.named[name]
        scope = scope.around
    return None


def _pages(node: ast.SelectStmt) -> bool:
    """Whether rows are passed over to page. OFFSET 0 only keeps parts apart; with LIMIT 1 it is the one row there."""
    start, count = node.limitOffset, node.limitCount
    if start is None or (isinstance(start, ast.A_Const) and start.val.ival == 0):
        return False
    return not (isinstance(count, ast.A_Const) and count.val.ival == 1)


def _named(targets: Iterable[ast.ResTarget]) -> frozenset[str]:
    return frozenset(name for target in targets if (name := target.name or _name_of(target.val)))


def _set(targets: Iterable[ast.ResTarget] | None) -> list[str]:
    return [target.name for target in targets or ()]


def _name_of(node: Any) -> str | None:
    """The name that PostgreSQL gives a column without one."""
    match node:
        case ast.ColumnRef():
            return getattr(node.fields[-1], "sval", None)
        case ast.FuncCall():
            return str(node.funcname[-1].sval)
        case ast.TypeCast():
            return _name_of(node.arg)
        case ast.CoalesceExpr():
            return "coalesce"
        case ast.CaseExpr():
            return "case"
        case ast.SubLink() if node.subselect.targetList:
            return _name_of(node.subselect.targetList[0].val)
    return None
