"""The MLflow mirror behind `automl_plugins.trackers.mlflow`.

The study store is the outbox: every trial row carries a revision that grows with each change. A process of its own
(the **writer**, `writer`) tails the store by revision and writes what is new to MLflow (`mirror`); nothing else in
this program imports MLflow. What MLflow holds says how far the writer got, so it can start, die and start again at any
moment.
"""
