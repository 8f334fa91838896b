"""What mail programs and providers call the mailboxes of special use, by language. Data only.

Keys are compared NFKC-normalised and case-folded; a word that means two things in two languages is left out.
"""

from __future__ import annotations

import unicodedata

_SENT = """
Sent; Sent Items; Sent Mail; Sent Messages; Sent-Mail; Sent_Mail; Sent Objects
Gesendet; Gesendete Objekte; Gesendete Elemente; Gesendete Nachrichten; Gesendete E-Mails; Gesendete Mails
Envoyés; Éléments envoyés; Messages envoyés; Courrier envoyé; Objets envoyés; Courriers envoyés
Enviados; Elementos enviados; Mensajes enviados; Correo enviado; Enviado
Itens enviados; Mensagens enviadas; Correio enviado; E-mails enviados; Enviadas
Inviata; Posta inviata; Messaggi inviati; Elementi inviati; Inviati; Inviate
Verzonden; Verzonden items; Verzonden berichten; Verstuurd; Verzonden objecten
Skickat; Skickade; Skickade meddelanden; Skickade objekt; Skickad post
Sendt; Sendt post; Sendte elementer; Sendte; Sendte meldinger; Sendte e-mails; Sendte beskeder
Lähetetyt; Lähetetyt viestit; Lähetetyt kohteet
Wysłane; Elementy wysłane; Wysłane wiadomości; Wysłana poczta
Odeslané; Odeslaná pošta; Odeslané položky; Odeslané zprávy; Odoslané; Odoslaná pošta; Odoslané položky
Elküldött; Elküldött elemek; Elküldött üzenetek; Elküldött levelek
Trimise; Elemente trimise; Mesaje trimise; Mesaje expediate
Отправленные; Отправленная почта; Отправленные сообщения
Надіслані; Відправлені; Надіслані листи; Изпратени; Изпратени елементи; Послато; Poslano; Poslane poruke
Απεσταλμένα; Σταλμένα; Απεσταλμένα στοιχεία; Απεσταλμένα μηνύματα
Gönderilmiş; Gönderilen; Gönderilmiş Öğeler; Gönderilenler; Gönderilmiş Postalar; Gönderilen Öğeler
Enviats; Elements enviats; Bidalitakoak; Saadetud; Saadetud kirjad; Išsiųsta; Išsiųsti laiškai; Nosūtītie
送信済み; 送信済みメール; 送信済みアイテム; 送信済みトレイ; 送信控え
已发送; 已发送邮件; 已发邮件; 已傳送; 寄件備份; 寄件備份匣; 已寄出郵件; 送件備份
보낸 편지함; 보낸편지함; 보낸 메일함; 보낸메일함; 보낸 항목
المرسلة; البريد المرسل; العناصر المرسلة; الرسائل المرسلة; נשלחו; פריטים שנשלחו; דואר יוצא שנשלח
Terkirim; Item Terkirim; Pesan Terkirim; Surat Terkirim; Đã gửi; Thư đã gửi; Mục đã gửi; รายการที่ส่ง; ส่งแล้ว; भेजे गए
"""
_DRAFTS = """
Drafts; Draft; Draft Messages
Entwürfe; Entwurf; Brouillons; Brouillon; Borradores; Borrador; Rascunhos; Rascunho; Bozze; Bozza
Concepten; Concept; Kladder; Kladde; Utkast; Kladd; Luonnokset; Szkice; Szkic; Wersje robocze; Robocze; Kopie robocze
Koncepty; Rozepsané; Koncepty zpráv; Rozpísané; Piszkozatok; Piszkozat; Vázlatok; Ciorne; Schițe; Mesaje nefinalizate
Черновики; Чернетки; Чернови; Нацрти; Nacrti; Skice; Osnutki
Πρόχειρα; Taslaklar; Taslak; Esborranys; Zirriborroak; Mustandid; Juodraščiai; Melnraksti; Uzmetumi
下書き; 草稿; 草稿箱; 草稿匣; 草稿夹; 임시 보관함; 임시보관함; 임시저장
المسودات; مسودات; טיוטות; Draf; Konsep; Bản nháp; Thư nháp; Nháp; ร่างจดหมาย; แบบร่าง; ड्राफ़्ट
"""
_TRASH = """
Trash; Bin; Deleted; Deleted Items; Deleted Messages; Deleted Mail; Rubbish; Wastebasket
Papierkorb; Gelöscht; Gelöschte Objekte; Gelöschte Elemente; Gelöschte Nachrichten
Corbeille; Éléments supprimés; Messages supprimés; Poubelle; Papelera; Elementos eliminados; Eliminados
Mensajes eliminados; Papelera de reciclaje
Lixo; Lixeira; Itens excluídos; Itens eliminados; Itens apagados; Mensagens excluídas; Reciclagem
Cestino; Posta eliminata; Elementi eliminati; Messaggi eliminati; Prullenbak; Verwijderde items; Verwijderd
Papperskorg; Papperskorgen; Borttaget; Borttagna objekt; Borttagna meddelanden
Papirkurv; Papirkurven; Slettet post; Slettede elementer; Slettede meldinger; Søppel; Slettet
Roskakori; Poistetut; Poistetut kohteet; Poistetut viestit
Kosz; Elementy usunięte; Usunięte; Koš; Odstraněná pošta; Odstraněné položky; Kôš; Odstránené položky; Vymazané
Kuka; Lomtár; Törölt elemek; Törölt üzenetek; Coș de gunoi; Elemente șterse; Gunoi; Coş de gunoi
Корзина; Удаленные; Удалённые; Удаленные сообщения; Удалённые элементы; Кошик; Видалені
Кошче; Изтрити; Изтрити елементи
Koš za smeće; Izbrisano; Obrisane poruke; Smeće; Отпад
Κάδος; Κάδος απορριμμάτων; Διαγραμμένα; Διαγραμμένα στοιχεία; Απορρίμματα
Çöp; Çöp Kutusu; Silinmiş Öğeler; Silinen Öğeler; Silinenler; Silinmiş
Paperera; Elements suprimits; Zakarrontzia; Prügikast; Kustutatud; Šiukšlinė; Šiukšliadėžė; Atkritne; Miskaste
ゴミ箱; ごみ箱; 削除済みアイテム; 削除済み; 已删除; 已删除邮件; 垃圾桶; 刪除的郵件; 已刪除的郵件; 回收站; 废件箱
휴지통; 지운 편지함; 삭제된 항목
المهملات; سلة المهملات; المحذوفة; العناصر المحذوفة; אשפה; סל האשפה; פריטים שנמחקו
Tempat Sampah; Item Dihapus; Sampah; Thùng rác; Mục đã xóa; ถังขยะ; รายการที่ถูกลบ; ट्रैश
"""
_JUNK = """
Junk; Spam; Junk E-mail; Junk Email; Junk Mail; Bulk; Bulk Mail; Spambox; Spamverdacht; Quarantine; Probably Spam
Unerwünscht; Unerwünschte Werbung; Unerwünschte E-Mails; Junk-E-Mail
Indésirables; Courrier indésirable; Pourriel; Pourriels; Courriels indésirables; Messages indésirables
Correo no deseado; No deseado; Correo basura; Lixo eletrônico; Lixo Eletrónico; Lixo electrónico; E-mail de lixo
Posta indesiderata; Indesiderata; Spazzatura; Ongewenst; Ongewenste e-mail; Ongewenste mail; Ongewenste reclame
Skräp; Skräppost; Uønsket e-post; Uønsket post; Uønsket mail; Uønsket; Søppelpost; Uønskede e-mails
Roskaposti; Niechciane; Wiadomości-śmieci; Wiadomości śmieci; Śmieci; Nevyžádaná pošta; Nevyžiadaná pošta; Nevyžádané
Levélszemét; Spamuri; Nedorite; E-mail nedorit; Mesaje nedorite
Спам; Нежелательная почта; Нежелательные; Небажана пошта; Небажані; Нежелана поща; Непожелана; Neželjena pošta
Ανεπιθύμητα; Ανεπιθύμητη αλληλογραφία; Ανεπιθύμητη
Önemsiz; Önemsiz E-posta; İstenmeyen; İstenmeyen Posta; Gereksiz E-posta; Gereksiz
Correu brossa; Brossa; Zabor-posta; Rämpspost; Brukalas; Mēstules
迷惑メール; スパム; 垃圾邮件; 垃圾箱; 垃圾郵件; 垃圾郵件匣; 广告邮件; 廣告郵件
스팸; 스팸 메일함; 스팸메일함; 스팸함; 정크 메일
البريد العشوائي; البريد المزعج; الرسائل غير المرغوب فيها; דואר זבל; ספאם; דואר אלקטרוני זבל
Thư rác; Email rác; จดหมายขยะ; อีเมลขยะ; स्पैम
"""
_ARCHIVE = """
Archive; Archives; Archived; Archiv; Archivio; Archivo; Archivados; Arquivo; Arquivados; Arquivo Morto
Archief; Gearchiveerd; Arkiv; Arkiverat; Arkiveret; Arkivert; Arkisto; Arkistoitu
Archiwum; Archiwizowane; Archív; Archív správ; Archívum; Archivált; Arhivă; Arhiva; Arhiv; Arhiivi; Arhiiv
Архив; Архів; Архива; Αρχείο; Αρχειοθήκη; Arşiv; Arxiu; Artxiboa; Archyvas; Arhīvs
アーカイブ; 归档; 存档; 封存; 封存郵件; 보관함; 보관 처리; 보관; الأرشيف; أرشيف; ארכיון; Arsip; Lưu trữ; เก็บถาวร; आर्काइव
"""


def _table() -> dict[str, str]:
    names: dict[str, str] = {}
    sources = (("sent", _SENT), ("drafts", _DRAFTS), ("trash", _TRASH), ("junk", _JUNK), ("archive", _ARCHIVE))
    for use, listed in sources:
        for name in listed.replace("\n", ";").split(";"):
            folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
            if folded.strip():
                names[" ".join(folded.split())] = use
    return names


NAMES: dict[str, str] = _table()
