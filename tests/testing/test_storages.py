"""The store on SQLite; on PostgreSQL where AUTOML_TEST_POSTGRES names a database that tests may empty."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import MetaData, create_engine

from automl.testing import StorageSuite


class TestSqlite(StorageSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path / 'studies.db'}"


class TestPostgres(StorageSuite):
    @pytest.fixture
    def url(self):
        url = os.environ.get("AUTOML_TEST_POSTGRES")
        if not url:
            pytest.skip("AUTOML_TEST_POSTGRES names no database")
        engine = create_engine(url)
        metadata = MetaData()
        metadata.reflect(engine)
        metadata.drop_all(engine)
        engine.dispose()
        return url
