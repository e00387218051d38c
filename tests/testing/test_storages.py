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


if "AUTOML_TEST_POSTGRES" in os.environ:

    class TestPostgres(StorageSuite):
        @pytest.fixture
        def url(self):
            url = os.environ["AUTOML_TEST_POSTGRES"]
            engine = create_engine(url)
            metadata = MetaData()
            metadata.reflect(engine)
            metadata.drop_all(engine)
            engine.dispose()
            return url
