# SPDX-License-Identifier: Apache-2.0
"""Real Kubernetes clusters on one machine, for tests and for people: etcd, kube-apiserver, controllers, Kueue, kwok.

cluster.py   one cluster: what it consists of, start, kill, restart, snapshot
kueue.py     Kueue on a cluster: configuration, CRDs, webhooks;  sources.py finds those in their Go modules
nodes.py     nodes and what kwok lets their pods do (stages.yaml)
pki.py       one CA and serving certificate; token users
proc.py      processes that cannot outlive this one;  launch.py is what makes it so
limits.py    what the machine must allow
api.py       a small client: apply, get, patch, watch until
control.py   the socket through which others ask the process that owns the servers
main.py      the command line: ../up
"""
