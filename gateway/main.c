/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - prints the version, until there are subcommands */
#include <stdio.h>

int main(void)
{
	puts("spillway " SW_VERSION);
	return 0;
}
