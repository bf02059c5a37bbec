"""What the guards withhold from readers, and how it is let through."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.published_shop import PublishedShop

from shopsight import publish
from shopsight.errors import DataQualityError, ShrinkRefused


def with_settings(shop: PublishedShop, **settings: Any) -> PublishedShop:
    return PublishedShop(shop.settings.model_copy(update=settings))


def test_a_shop_that_shrank_is_withheld_until_a_person_allows_it(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = with_settings(shop, shrink_min_rows=1)
    before = shop.served("customer_metrics")
    shop.execute("DELETE FROM orders WHERE order_id > 100")
    with pytest.raises(ShrinkRefused, match=r"orders from 5 to 1 \(-80%\)"):
        shop.run()
    assert shop.served_generation() == 1
    assert shop.served("customer_metrics") == before
    with shop.target() as target:
        latest = publish.latest_run(target)
        assert latest is not None
        assert (latest["status"], latest["error"]["type"]) == ("refused", "ShrinkRefused")
        assert [name for name in target.db.list_collection_names() if name.endswith(".g2")] == []

    monkeypatch.setenv("SHOPSIGHT_TARGET_DATABASE", shop.settings.target_database)
    monkeypatch.setenv("SHOPSIGHT_SOURCE_URL", shop.settings.source_url.get_secret_value())
    monkeypatch.setenv("SHOPSIGHT_SHRINK_MIN_ROWS", "1")
    for arguments, code in ((["--resume"], 3), (["--resume", "--allow-shrink"], 0)):
        assert shop.exit_code(monkeypatch, "run", *arguments) == code
        assert ("shopsight run --resume --allow-shrink" in " ".join(capsys.readouterr().err.split())) == bool(
            code
        )
    assert shop.served_generation() != 1
    # What is served now is what the next run is compared with.
    shop.run()


def test_revenue_that_fell_is_withheld_too(shop: PublishedShop) -> None:
    shop = with_settings(shop, shrink_min_revenue=20)
    shop.execute("UPDATE orders SET status = 'cancelled' WHERE customer_id = 1")
    with pytest.raises(ShrinkRefused, match=r"revenue from 57.95 to 15.45 \(-73%\)"):
        shop.run()
    assert shop.served_generation() == 1


def test_an_empty_source_does_not_wipe_what_readers_see(shop: PublishedShop) -> None:
    shop = with_settings(shop, shrink_min_rows=0)
    for table in ("reviews", "order_items", "orders", "customers", "products", "categories"):
        shop.execute(f"DELETE FROM {table}")
    with pytest.raises(ShrinkRefused, match="customers from 3 to 0"):
        shop.run()
    assert len(shop.served("customer_metrics")) == 3


def test_too_great_a_share_of_rejected_rows_stops_the_run(shop: PublishedShop) -> None:
    shop = with_settings(shop, min_rejected_rows=1, max_rejected_share=0.5)
    shop.execute("UPDATE orders SET customer_id = 9 WHERE order_id > 101")
    with pytest.raises(DataQualityError, match=r"orders: 4 of 6 rows \(67%\) were rejected") as caught:
        shop.run()
    assert "rejected/orders" in caught.value.remedy
    assert shop.served_generation() == 1
    record = with_settings(shop, max_rejected_share=0.7).run()
    assert shop.served_generation() == record.generation
