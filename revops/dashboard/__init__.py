"""The analysts' dashboard: pages in the browser that read `serving` as an analyst does. Owns no number: models do.

serve     starts it                        sections  one file a page: its statements and what it shows
page      what all pages share             reader    the connection that statements run on
filters   what is chosen, in the address   charts    how figures are drawn
links     addresses, from page to page     parts     headings, figures, tables, downloads
labels    which fraud figures are final
"""
