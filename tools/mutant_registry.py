"""The faults that ``make mutants`` plants: each replaces a text that occurs exactly once in its file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One small fault.

    Attributes:
        fault: the wrong behaviour that follows.
        path: the file, under ``src/shopsight``.
        old: the text there.
        new: the text in its place.
        tests: the tests that must notice it, quickest first.
    """

    fault: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


_CLEAN = "tests/clean/test_{}.py"
_PROPERTY = "tests/clean/test_conservation.py"
_METRICS = ("tests/marts/test_customer_metrics.py", "tests/marts/test_money.py")
_INSIGHTS = (
    "tests/marts/insights/test_lists.py",
    "tests/marts/insights/test_time.py",
    "tests/marts/insights/test_basket_pairs.py",
    "tests/marts/insights/test_rfm_segments.py",
)
_ENCODING = ("tests/publish/test_bson.py", "tests/publish/test_documents.py")
_GENERATIONS = ("tests/publish/test_generations.py",)
_LEASE = ("tests/publish/test_lease.py", *_GENERATIONS)
_LINKS = ("tests/audit/test_proof.py",)
_LEDGER = ("tests/audit/test_ledger.py",)
_GUARD = ("tests/audit/test_guards.py",)
_VALUES = ("tests/extract/test_postgresql_values.py",)
_PROOF = ("tests/audit/test_proof_of_a_run.py",)
_TOTALS = ("tests/audit/test_control_totals.py",)
_CUSTOMER_CHECKS = (*_LINKS, "tests/audit/test_insight_checks.py", *_PROOF)
_IDENTITIES = ("tests/audit/test_insight_checks.py",)
_SQLITE = ("tests/extract/test_sqlite.py",)


def _clean(table: str) -> tuple[str, ...]:
    return (_CLEAN.format(table),)


MUTANTS = (
    # extract
    Mutant(
        "An amount with fractions of a cent is sent as whole cents",
        "extract/postgresql/packed.py",
        'fits = f"abs({number}) < {AMOUNT_LIMIT} AND {number} = round({number}, {MONEY_SCALE})"',
        'fits = f"abs({number}) < {AMOUNT_LIMIT}"',
        _VALUES,
    ),
    Mutant(
        "Values take the places of nulls",
        "extract/postgresql/packed.py",
        "spread[~is_null] = found",
        "spread[: len(found)] = found",
        ("tests/extract/test_packed.py",),
    ),
    Mutant(
        "Pages that were added while a table is read are left out",
        "extract/postgresql/packed.py",
        "str(_BEYOND_ALL if self.is_last else self.end)",
        "str(self.end)",
        ("tests/extract/test_packed.py",),
    ),
    Mutant(
        "Columns are not looked up again within the snapshot",
        "extract/postgresql/locks.py",
        "if found == relations and not replaced:",
        "if found and not replaced:",
        ("tests/extract/test_locks.py", "tests/extract/test_postgresql.py", "tests/extract/test_writers.py"),
    ),
    Mutant(
        "PostgreSQL adds up values without their keys",
        "extract/postgresql/control_totals.py",
        'product = key if column.name == table.key else f"{key} * {value}"',
        "product = key if column.name == table.key else value",
        _VALUES,
    ),
    Mutant(
        "PostgreSQL counts days from another day",
        "extract/postgresql/control_totals.py",
        "THEN {number} - DATE '1970-01-01' END",
        "THEN {number} - DATE '1970-01-02' END",
        _VALUES,
    ),
    Mutant(
        "PostgreSQL adds up no values of rows without a key",
        "extract/postgresql/control_totals.py",
        "return _number(relation, column), relation.columns[column.name].is_nullable",
        "return _number(relation, column), False",
        _VALUES,
    ),
    Mutant(
        "SQLite's large products lose bits (`2**31` for `2**32`)",
        "extract/sqlite/control_totals.py",
        '(2**32 if unit == "high" else 1)',
        '(2**31 if unit == "high" else 1)',
        _SQLITE,
    ),
    Mutant(
        "SQLite's amounts are cut to the cent, not rounded",
        "extract/sqlite/control_totals.py",
        "CAST(round({source} * 100.0) AS INTEGER)",
        "CAST({source} * 100.0 AS INTEGER)",
        _SQLITE,
    ),
    Mutant(
        "The first key of each range of orders is in none (`>` for `>=`)",
        "engine/key_ranges.py",
        "rows = rows.filter(key >= self.first)",
        "rows = rows.filter(key > self.first)",
        ("tests/engine/test_key_ranges.py",),
    ),
    # clean
    Mutant(
        "A rating of 6 is kept (`> 6` for `> 5`)",
        "clean/reviews.py",
        '(col("rating") < 1) | (col("rating") > 5)',
        '(col("rating") < 1) | (col("rating") > 6)',
        _clean("reviews"),
    ),
    Mutant(
        "None of several reviews on one day is kept (`<=` for `<`)",
        "clean/reviews.py",
        'when=col("review_id") < col("last_review_id")',
        'when=col("review_id") <= col("last_review_id")',
        _clean("reviews"),
    ),
    Mutant(
        "Orders of 0 are rejected as negative (`<=` for `<`)",
        "clean/orders.py",
        'col("is_counting") & (col("total_amount") < 0)',
        'col("is_counting") & (col("total_amount") <= 0)',
        _clean("orders"),
    ),
    Mutant(
        "Negative totals are rejected on orders that do not count, too (a dropped filter)",
        "clean/orders.py",
        'col("is_counting") & (col("total_amount") < 0)',
        '(col("total_amount") < 0)',
        _clean("orders"),
    ),
    Mutant(
        "`canceled` is not read as `cancelled`",
        "clean/orders.py",
        'nw.when(col("clean_status") == spelling)',
        'nw.when(col("clean_status") == status)',
        _clean("orders"),
    ),
    Mutant(
        "A repaired total changes no measure",
        "clean/orders.py",
        'when=col("has_no_total"),\n        changes_measure=True,',
        'when=col("has_no_total"),\n        changes_measure=False,',
        _LEDGER,
    ),
    Mutant(
        "An order of today is rejected (`>=` for `>`)",
        "clean/references.py",
        "when=lambda policy: col(column) > policy.today",
        "when=lambda policy: col(column) >= policy.today",
        (_CLEAN.format("orders"), _CLEAN.format("reviews")),
    ),
    Mutant(
        "An order of 1 January 1970 is rejected (`<=` for `<`)",
        "clean/references.py",
        "when=col(column) < FIRST_DATE",
        "when=col(column) <= FIRST_DATE",
        (_CLEAN.format("orders"), _CLEAN.format("reviews")),
    ),
    Mutant(
        "Orders of a merged customer stay with the old id",
        "clean/references.py",
        'customer_id=nw.coalesce("kept_customer_id", "customer_id")',
        'customer_id=col("customer_id")',
        _clean("orders"),
    ),
    Mutant(
        "Customers are merged by masked addresses",
        "clean/customers.py",
        'email=nw.when(~col("has_invalid_email")).then(col("email"))',
        'email=col("email")',
        _clean("customers"),
    ),
    Mutant(
        "Customers are merged into the greatest id (`max` for `min`)",
        "clean/customers.py",
        'col("customer_id").min().alias("owner_id")',
        'col("customer_id").max().alias("owner_id")',
        _clean("customers"),
    ),
    Mutant(
        "Products of an unknown category vanish (an inner for a left join)",
        "clean/products.py",
        'rows.join(known, on="category_id", how="left")',
        'rows.join(known, on="category_id", how="inner")',
        _clean("categories_products"),
    ),
    Mutant(
        "Orders in other currencies are kept",
        "clean/orders.py",
        "_currency() != policy.currency if policy.currency",
        "_currency() != policy.currency if not policy",
        _clean("orders"),
    ),
    Mutant(
        "Orders that do not count have currencies that stop the run",
        "clean/orders.py",
        'statuses, policy).filter(col("is_counting"))',
        "statuses, policy)",
        _clean("orders"),
    ),
    Mutant(
        "A guest takes the id of a customer",
        "clean/guests.py",
        "for others in (customers.kept, customers.rejected):",
        "for others in ():",
        _clean("guests"),
    ),
    Mutant(
        "A row that names a guest's id is the guest's",
        "clean/all_tables.py",
        'nw.col("rule") == customers.GUEST_ADDED',
        'nw.col("rule") != nw.col("rule")',
        _clean("guests"),
    ),
    Mutant(
        "An address of a known customer makes a guest",
        "clean/guests.py",
        '.join(addresses, on="email", how="anti")',
        "",
        _clean("guests"),
    ),
    Mutant(
        "Quantities without a fraction are named as if they had one",
        "clean/order_items.py",
        r'_FRACTION = r"^[+-]?[0-9]*\.[0-9]*[1-9][0-9]*$"',
        r'_FRACTION = r"^[+-]?[0-9]*[.,][0-9.]*[1-9][0-9.]*$"',
        _clean("order_items"),
    ),
    Mutant(
        "Ten million units on a line are too many (`>=` for `>`)",
        "clean/order_items.py",
        '(col("quantity") > PLAUSIBLE_QUANTITY_LIMIT)',
        '(col("quantity") >= PLAUSIBLE_QUANTITY_LIMIT)',
        _clean("order_items"),
    ),
    Mutant(
        "Rows with one key and different values are all kept (a missing dedupe)",
        "clean/duplicates.py",
        "is_conflict=is_other & ~is_same",
        "is_conflict=is_other & is_same & ~is_same",
        (_CLEAN.format("orders"), _CLEAN.format("order_items"), _CLEAN.format("customers")),
    ),
    Mutant(
        "Only keys that three rows have are found as repeated (`> 2` for `> 1`)",
        "clean/duplicates.py",
        'return materialize(counted.filter(col("rows") > 1)',
        'return materialize(counted.filter(col("rows") > 2)',
        _clean("duplicates"),
    ),
    Mutant(
        "Amounts are cut to the cent, not rounded",
        "clean/parse.py",
        "decimals.str.slice(0, 3).cast(nw.Int64) + 5) // 10",
        "decimals.str.slice(0, 3).cast(nw.Int64)) // 10",
        _clean("parse"),
    ),
    Mutant(
        "29 February is a day of every year",
        "clean/days.py",
        "february = nw.when(is_leap).then(nw.lit(29)).otherwise(nw.lit(28))",
        "february = nw.when(is_leap).then(nw.lit(29)).otherwise(nw.lit(29))",
        _clean("parse"),
    ),
    Mutant(
        "A rejected row is named by the last rule that applies, not the first",
        "clean/rule.py",
        "for rule in reversed(rules):",
        "for rule in rules:",
        (_CLEAN.format("orders"), _CLEAN.format("order_items"), _CLEAN.format("reviews")),
    ),
    Mutant(
        "A merged row carries no measure into the ledger",
        "clean/rule.py",
        'nw.lit(rule.id).alias("rule"),\n        "measure",\n        *(',
        'nw.lit(rule.id).alias("rule"),\n        nw.lit(None).cast(MEASURE).alias("measure"),\n        *(',
        (*_LEDGER, _PROPERTY),
    ),
    Mutant(
        "An identical copy of a customer makes its orders twice (a fan-out)",
        "clean/references.py",
        'merged.filter(col("key") != col("into_key")).select(',
        "merged.select(",
        (_CLEAN.format("all_tables"), _CLEAN.format("orders"), _PROPERTY),
    ),
    # metrics
    Mutant(
        "Cancelled orders count (a dropped filter)",
        "marts/customer_metrics.py",
        'orders.filter(nw.col("is_counting")).select',
        "orders.select",
        _METRICS,
    ),
    Mutant(
        "Customers without orders vanish (an inner for a left join)",
        "marts/customer_metrics.py",
        '.join(spent, on="customer_id", how="left")',
        '.join(spent, on="customer_id", how="inner")',
        _METRICS,
    ),
    Mutant(
        "Lines are counted, not units (`len` for `sum`)",
        "clean/orders.py",
        'col("units").sum()',
        'col("units").len()',
        _METRICS,
    ),
    Mutant(
        "The rating is a sum, not a mean",
        "marts/customer_metrics.py",
        '(nw.col("rating_sum") / nw.col("reviews")).alias("average_rating")',
        '(nw.col("rating_sum") / 1).alias("average_rating")',
        _METRICS,
    ),
    Mutant(
        "Units of customers without orders are null, not 0",
        "marts/customer_metrics.py",
        'nw.col("total_products_ordered").fill_null(0)',
        'nw.col("total_products_ordered")',
        _METRICS,
    ),
    Mutant(
        "Half a cent is rounded down (`>` for `>=`)",
        "marts/money.py",
        "is_rounded_up = 2 * (left_cents - cents * divisor) >= divisor",
        "is_rounded_up = 2 * (left_cents - cents * divisor) > divisor",
        _METRICS,
    ),
    # insights
    Mutant(
        "An order with two lines of a product counts twice (a missing unique)",
        "marts/insights/baskets.py",
        "return distinct_rows(lines.join(",
        "return (lines.join(",
        _INSIGHTS,
    ),
    Mutant(
        "Growth is a share of the new month, not of the one before",
        "marts/insights/monthly_sales.py",
        'share_of(nw.col("revenue") - before, before)',
        'share_of(nw.col("revenue") - before, nw.col("revenue"))',
        _INSIGHTS,
    ),
    Mutant(
        "Categories without reviews are not listed (an inner for a left join)",
        "marts/insights/category_ratings.py",
        'per_category, on="category_id", how="left"',
        'per_category, on="category_id", how="inner"',
        _INSIGHTS,
    ),
    Mutant(
        "Ties go to the greater id",
        "marts/insights/top_customers.py",
        "descending=[True, False]",
        "descending=[True, True]",
        _INSIGHTS,
    ),
    Mutant(
        "Equal customers get the better score (all but one are below them)",
        "marts/insights/rfm.py",
        "cum_sum().over(order_by=value) - same",
        "cum_sum().over(order_by=value) - 1",
        _INSIGHTS,
    ),
    Mutant(
        "One order makes a customer a repeat customer (`> 0` for `> 1`)",
        "marts/insights/repeat_purchase.py",
        'nw.col("total_orders") > 1',
        'nw.col("total_orders") > 0',
        _INSIGHTS,
    ),
    Mutant(
        "Each pair of products is listed both ways round (`!=` for `<`)",
        "marts/insights/baskets.py",
        'both.filter(nw.col("product_a_id") < nw.col("product_b_id"))',
        'both.filter(nw.col("product_a_id") != nw.col("product_b_id"))',
        _INSIGHTS,
    ),
    Mutant(
        "Months without an order of a cohort are not listed",
        "marts/insights/cohort_retention.py",
        "nw.concat([returned, nobody])",
        "returned",
        _INSIGHTS,
    ),
    # publish
    Mutant(
        "Negative amounts lose their sign in MongoDB",
        "publish/bson.py",
        'upper |= exponent | (is_negative.astype("<u8") << np.uint64(63))',
        "upper |= exponent",
        _ENCODING,
    ),
    Mutant(
        "Rejected rows of one rule and key are lost but for one",
        "publish/documents.py",
        "            if pc.any(is_repeated).as_py():\n",
        "            if False and pc.any(is_repeated).as_py():\n",
        _ENCODING,
    ),
    Mutant(
        "A late zombie may say what is served (`$gte` for `$lte`)",
        "publish/views.py",
        '{**_CURRENT, "token": {"$lte": token}}',
        '{**_CURRENT, "token": {"$gte": token}}',
        _LEASE,
    ),
    Mutant(
        "The sweep keeps one generation too many (`<=` for `<`)",
        "publish/generations.py",
        "if len(kept) < keep:",
        "if len(kept) <= keep:",
        _GENERATIONS,
    ),
    # ledger, proof, guard
    Mutant(
        "The ledger forgets what merged rows carried",
        "audit/ledger.py",
        'measure_merged=exact_sum([sum_column(rejected / "merged" / table.name, "measure")])',
        "measure_merged=ZERO",
        _LEDGER,
    ),
    Mutant(
        "The ledger does not count the category that cleaning adds",
        "audit/control_totals.py",
        'pc.ends_with(batch["rule"], "_added")',
        'pc.ends_with(batch["rule"], "_made")',
        _LEDGER,
    ),
    Mutant(
        "A control total adds up values without their keys",
        "audit/control_totals.py",
        "keyed_sum(keys[rows], multiplied[rows])",
        "keyed_sum(np.ones_like(keys[rows]), multiplied[rows])",
        _TOTALS,
    ),
    Mutant(
        "A control total wraps at 64 bits",
        "audit/control_totals.py",
        "room = 62 - key_bits - len(keys).bit_length()",
        "room = 64",
        _TOTALS,
    ),
    Mutant(
        "Values of rows without a key are in no control total",
        "audit/control_totals.py",
        'totals[column.name, "keyless"] += keyed_sum(np.ones_like(alone), alone)',
        'totals[column.name, "keyless"] += 0',
        _TOTALS,
    ),
    Mutant(
        "A repair counts with its new value, but not with its old one",
        "audit/control_totals.py",
        'for side, sign in (("new_value", 1), ("old_value", -1)):',
        'for side, sign in (("new_value", 1),):',
        _TOTALS,
    ),
    Mutant(
        "Link 1 compares the raw files with themselves",
        "audit/proof.py",
        "compared_totals(name, from_document(snapshot.tables[name].totals), table.sent)",
        "compared_totals(name, table.sent, table.sent)",
        _LINKS,
    ),
    Mutant(
        "Link 2 compares no control totals, but measures alone",
        "audit/proof.py",
        "compared_totals(table.table, entered",
        "compared_totals(table.table, left",
        _PROOF,
    ),
    Mutant(
        "Orders of a customer who is not kept are not noticed",
        "audit/clean_checks.py",
        "found = sum(int(parents.has(keys).sum()) for keys in _keys(folder, column))",
        "found = count_rows(folder)",
        ("tests/audit/test_clean_checks.py",),
    ),
    Mutant(
        "Cancelled orders count in the proof's own figures of customers",
        "audit/shop_files.py",
        "customers[is_excluded[codes]] = nobody",
        "customers[codes < 0] = nobody",
        _CUSTOMER_CHECKS,
    ),
    Mutant(
        "A row that an insight leaves out is not noticed",
        "audit/insight_checks.py",
        "                if is_complete:\n",
        "                if not is_complete:\n",
        _IDENTITIES,
    ),
    Mutant(
        "A list of the greatest may leave the greatest out",
        "audit/insight_checks.py",
        "greatest = sorted((row[by] for row in found.values()), reverse=True)[:size]",
        "greatest = [row[by] for row in rows]",
        _IDENTITIES,
    ),
    Mutant(
        "A customer counts in a cohort's month once a day",
        "audit/visits.py",
        "is_first_of_month = is_first | is_new(month_of)",
        "is_first_of_month = month_of >= 0",
        _IDENTITIES,
    ),
    Mutant(
        "A share is not divided again",
        "audit/insight_checks.py",
        "{column: _divided(row[part], divisor)}",
        "{column: row[column]}",
        _IDENTITIES,
    ),
    Mutant(
        "Lines of orders that do not count are in the recounted products",
        "audit/shop_files.py",
        "is_sold = ids.has(product_ids) & is_counting",
        "is_sold = ids.has(product_ids)",
        _IDENTITIES,
    ),
    Mutant(
        "A broken equality is no error",
        "audit/proof.py",
        "for check in link.broken:",
        "for check in ():",
        _LINKS,
    ),
    Mutant(
        "Link 2 leaves merged rows out",
        "audit/proof.py",
        "at.merged",
        "Counter()",
        _LINKS,
    ),
    Mutant(
        "Link 3 lets every order count",
        "audit/proof.py",
        'counting = [row for row in by_status if row["counting_orders"]]',
        "counting = list(by_status)",
        _LINKS,
    ),
    Mutant(
        "Link 4 compares a digest with itself",
        "audit/proof.py",
        "figure, found.get(name, {}).get(what))",
        "figure, figure if what == CONTENT else found.get(name, {}).get(what))",
        _LINKS,
    ),
    Mutant(
        "What breaks link 4 is served all the same",
        "pipeline/publishing.py",
        "    proof.require(link)\n",
        "",
        _PROOF,
    ),
    Mutant(
        "A large share or a large number is enough for the guard (`or` for `and`)",
        "audit/guards.py",
        "fall > least and fall >",
        "fall > least or fall >",
        _GUARD,
    ),
    Mutant(
        "A fall by exactly the share is withheld (`>=` for `>`)",
        "audit/guards.py",
        "and fall > Decimal(str(settings.shrink_max_share)) * Decimal(before)",
        "and fall >= Decimal(str(settings.shrink_max_share)) * Decimal(before)",
        _GUARD,
    ),
    Mutant(
        "A few rejected rows of a small table stop the run (`or` for `and`)",
        "audit/guards.py",
        "count > settings.min_rejected_rows and share",
        "count > settings.min_rejected_rows or share",
        _GUARD,
    ),
)
