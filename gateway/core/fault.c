/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c - the fault points of the shipped binary: none fires
 *
 * Weak, so that the crash scenarios can link another one in its place.
 */
#include "spillway/fault.h"

__attribute__((weak)) bool sw_fault_point(const char *where, const char *detail)
{
	(void)where;
	(void)detail;
	return false;
}
