"""Charset labels: which codec a mail means by "koi8-r", "win" or "x-sjis".

Only what stands in the table is believed.  Python has codecs that are no charsets (`undefined`, `idna`, `zlib`, `hex`),
and a mail may name them: some raise, some take quadratic time.
"""

from __future__ import annotations

import re

# Python's name of a codec, then the labels that mean it, letters and digits only.  Labels are what is registered at
# IANA or seen in mail; a superset is taken where mailers use the letters of the superset under the smaller name
# (WHATWG "Encoding": iso-8859-1 is windows-1252, gb2312 is gb18030).
_TABLE = """
ascii        usascii ascii 646 iso646us ansix341968 ansix341986 default unknown8bit unknown 7bit 8bit none usasci
ascii        iso646 ansix31101983 binary
utf-8        utf8 utf8mb4 unicode11utf8 unicode20utf8 cp65001 utf 8859utf8 cesu8 u8 utf8mac utf8sig utf8utf8
utf-7        utf7 unicode11utf7 xunicode20utf7
utf-16       utf16 ucs2 iso10646ucs2 unicode
utf-16-le    utf16le
utf-16-be    utf16be
utf-32       utf32 ucs4 iso10646ucs4
utf-32-le    utf32le
utf-32-be    utf32be
cp1252       cp1252 windows1252 win1252 xcp1252 ansi iso88591 latin1 l1 iso885911987 isolatin1 88591 cp819 ibm819
cp1252       iso88591windows31latin1 iso88591windows isoir100 iso8859 1252 microsoft1252
cp1250       cp1250 windows1250 win1250 xcp1250
cp1251       cp1251 windows1251 win1251 xcp1251 win cyrillic1251 mscyrl 1251 ansi1251 microsoft1251 windowscyrillic
cp1251       win12511
cp1253       cp1253 windows1253
cp1254       cp1254 windows1254 iso88599 latin5 l5
cp1255       cp1255 windows1255
cp1256       cp1256 windows1256
cp1257       cp1257 windows1257
cp1258       cp1258 windows1258
iso8859-2    iso88592 latin2 l2 88592
iso8859-3    iso88593 latin3 l3
iso8859-4    iso88594 latin4 l4
iso8859-5    iso88595 cyrillic 88595
iso8859-6    iso88596 arabic iso88596i iso88596e
iso8859-7    iso88597 greek greek8
iso8859-8    iso88598 hebrew iso88598i iso88598e visual
iso8859-10   iso885910 latin6 l6
cp874        iso885911 tis620 windows874 cp874 dos874
iso8859-13   iso885913 latin7
iso8859-14   iso885914 latin8
iso8859-15   iso885915 latin9 885915
iso8859-16   iso885916 latin10
koi8-r       koi8r koi8 koi cskoi8r
koi8-u       koi8u koi8ru
cp866        cp866 ibm866 866 dos866
cp855        cp855 ibm855
cp437        cp437 ibm437
cp850        cp850 ibm850 850 pc850multilingual
cp852        cp852 ibm852
cp858        cp858 ibm858 ibm00858
cp775        cp775 ibm775
cp860        cp860 ibm860
cp861        cp861 ibm861
cp862        cp862 ibm862 dos862
cp863        cp863 ibm863
cp864        cp864 ibm864
cp865        cp865 ibm865
mac-roman    macintosh mac macroman xmacroman
mac-cyrillic xmaccyrillic maccyrillic macukrainian
mac-latin2   xmacce macce maclatin2
gb18030      gb18030 gb2312 gbk cp936 windows936 ms936 xgbk chinese euccn gb231280 csgb2312 cngb
hz           hz hzgb2312 hzgb
big5hkscs    big5hkscs
cp950        big5 cp950 big5eten xxbig5 csbig5 windows950 cnbig5
cp932        shiftjis sjis xsjis cp932 mskanji ms932 windows31j csshiftjis cp943
euc_jp       eucjp xeucjp ujis cseucpkdfmtjapanese eucjpwin eucjpms
iso2022_jp_ext iso2022jp csiso2022jp iso2022jp1 iso2022jp2 iso2022jpesc iso2022jpms cp50220 cp50221
iso2022_jp_3 iso2022jp3 iso2022jp2004
cp949        euckr cp949 ksc5601 ksc56011987 uhc windows949 kscksc5601 cseuckr korean ksc56011989 isoir149 ms949
iso2022_kr   iso2022kr
johab        johab cp1361
kz1048       kz1048 rk1048
ptcp154      ptcp154 cp154
"""
_CODECS = {label: row.split()[0] for row in _TABLE.strip().splitlines() for label in row.split()[1:]}


def codec_of(label: str) -> str:
    """Python's codec for a label of a mail, "" where the label is no charset we know."""
    key = re.sub(r"[^a-z0-9]", "", label[:60].lower().partition(":")[0]).removeprefix("charset")
    return _CODECS.get(key) or _CODECS.get(key.removeprefix("x").removeprefix("cs"), "")
