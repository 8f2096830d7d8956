# SPDX-License-Identifier: Apache-2.0
"""Dispatchers side by side on the same real clusters: `make bench-kubernetes`.

main.py       the order of things, and the tables
contenders.py what each dispatcher is: its queue, its process, how it starts and ends
embedded.py   the embedded manager over plain workers, beside the same Jobs created on them directly
waiting.py    the gateway's memory with 50,000 jobs that wait for quota
null.py       the null dispatcher: only the writes that nobody can do without. The ceiling
raised.py     Kueue with MultiKueue's hard-coded client limits raised
report.py     the document, the table, the goals
load.py       submits jobs, sees them appear on workers, counts requests, CPU and memory
"""
