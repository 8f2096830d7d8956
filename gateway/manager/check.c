/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - the states of an admission check, as Kueue names them
 */
#include "spillway/manager.h"

const char *sw_check_name(enum sw_check c)
{
	static const char *const names[] = {
		[SW_CHECK_PENDING] = "Pending",
		[SW_CHECK_READY] = "Ready",
		[SW_CHECK_RETRY] = "Retry",
		[SW_CHECK_REJECTED] = "Rejected",
	};

	return names[c];
}
